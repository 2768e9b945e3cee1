"""A small, honest training loop in plain Python: a network of one hidden layer tells two moons apart.

    python train.py [--steps 2000] [--lr 0.3] [--hidden 48] [--seed 1]

It needs nothing but Python, computes everything itself, and saves nothing.
"""

import argparse
import math
import random
import signal
import sys
import time

Point = tuple[float, float]
Data = list[tuple[Point, int]]


def moons(count: int, rng: random.Random, noise: float = 0.2) -> Data:
    """`count` points on two half circles that reach into each other, each with its moon's number, 0 or 1."""
    data = []
    for index in range(count):
        angle, moon = rng.uniform(0, math.pi), index % 2
        x, y = math.cos(angle), math.sin(angle)
        if moon:
            x, y = 1 - x, 0.5 - y
        data.append(((x + rng.gauss(0, noise), y + rng.gauss(0, noise)), moon))
    return data


class Network:
    """Two inputs -> `hidden` tanh units -> the probability that the point lies on moon 1."""

    def __init__(self, hidden: int, rng: random.Random) -> None:
        self.inner = [[rng.gauss(0, 0.7), rng.gauss(0, 0.7), 0.0] for _ in range(hidden)]
        self.outer = [rng.gauss(0, 1 / math.sqrt(hidden)) for _ in range(hidden)]
        self.bias = 0.0

    def forward(self, point: Point) -> tuple[list[float], float]:
        """What the hidden units say, and the probability."""
        x, y = point
        units = [math.tanh(a * x + b * y + c) for a, b, c in self.inner]
        logit = self.bias + sum(w * unit for w, unit in zip(self.outer, units, strict=True))
        return units, 1 / (1 + math.exp(-max(-30.0, min(30.0, logit))))

    def train(self, batch: Data, lr: float) -> tuple[float, float]:
        """One step of gradient descent. Returns the batch's loss (cross entropy) and accuracy before it."""
        loss = right = bias_slope = 0.0
        inner_slope = [[0.0, 0.0, 0.0] for _ in self.inner]
        outer_slope = [0.0] * len(self.outer)
        for (x, y), moon in batch:
            units, probability = self.forward((x, y))
            loss -= math.log(max(1e-12, probability if moon else 1 - probability))
            right += (probability > 0.5) == bool(moon)
            error = probability - moon
            bias_slope += error
            for index, unit in enumerate(units):
                outer_slope[index] += error * unit
                back = error * self.outer[index] * (1 - unit * unit)
                slope = inner_slope[index]
                slope[0] += back * x
                slope[1] += back * y
                slope[2] += back
        rate = lr / len(batch)
        self.bias -= rate * bias_slope
        self.outer = [w - rate * s for w, s in zip(self.outer, outer_slope, strict=True)]
        for weights, slope in zip(self.inner, inner_slope, strict=True):
            weights[:] = [w - rate * s for w, s in zip(weights, slope, strict=True)]
        return loss / len(batch), right / len(batch)

    def accuracy(self, data: Data) -> float:
        """The share of points that it puts on the right moon, 0 to 1."""
        return sum((self.forward(point)[1] > 0.5) == bool(moon) for point, moon in data) / len(data)


def options() -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(description="Train a small network on two moons.")
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--lr", type=float, default=0.3, help="learning rate")
    parser.add_argument("--hidden", type=int, default=48, help="units in the hidden layer")
    parser.add_argument("--seed", type=int, default=1, help="the same seed gives the same losses")
    return parser.parse_args()


class Stopped(Exception):
    """Somebody asked this process to end."""


def stop(_number: int, _frame: object) -> None:
    """What SIGTERM does: leave the loop, wherever it is."""
    raise Stopped


def train(network: Network, data: Data, steps: int, lr: float, rng: random.Random) -> None:
    """Train, and say every 10 steps how it goes (loss and accuracy are running means)."""
    loss, accuracy, started = math.log(2), 0.5, time.monotonic()
    for step in range(1, steps + 1):
        batch_loss, batch_accuracy = network.train(rng.sample(data, 2048), lr)
        loss, accuracy = 0.9 * loss + 0.1 * batch_loss, 0.9 * accuracy + 0.1 * batch_accuracy
        if step % 10 == 0 or step == steps:
            rate = step / (time.monotonic() - started)
            print(f"step {step}/{steps} loss {loss:.4f} acc {accuracy:.3f} {rate:.1f} it/s", flush=True)


def main() -> None:
    """Make the data and the network, train it, test it."""
    asked = options()
    rng = random.Random(asked.seed)
    data, unseen = moons(8000, rng), moons(1000, rng)
    network = Network(asked.hidden, rng)
    print(f"two moons: {len(data)} points to learn from, {len(unseen)} to test on, seed {asked.seed}")
    print(f"network: 2 -> {asked.hidden} -> 1, lr {asked.lr}, {asked.steps} steps", flush=True)
    train(network, data, asked.steps, asked.lr, rng)
    print(f"done: accuracy on points it never saw {network.accuracy(unseen):.3f}")


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, stop)
    try:
        main()
    except Stopped:
        print("asked to stop; nothing is saved", flush=True)
        sys.exit(128 + signal.SIGTERM)
