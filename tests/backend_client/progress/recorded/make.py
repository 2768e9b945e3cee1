"""Records what training libraries truly print: `python make.py NAME...` runs each on tiny data made up here.

Not run by the tests. The files beside it are what was written, byte for byte, less the lines with an address or
with a path of the machine. Each library is needed for its own recording alone: pip install tqdm keras jax
lightning transformers accelerate ultralytics stable-baselines3 fastai pytorch-ignite xgboost lightgbm spacy
tqdm-loggable
"""

# ruff: noqa: E501  programs in strings

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
TORCH_DATA = """
import torch, warnings; warnings.filterwarnings("ignore"); torch.manual_seed(0); torch.set_num_threads(1)
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
x = torch.randn(64, 4); y = x.sum(1, keepdim=True)
data = TensorDataset(x, y); loader = DataLoader(data, batch_size=8)
"""
LIGHTNING = (
    TORCH_DATA
    + """
import logging; logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
import lightning as L
from lightning.pytorch.callbacks import RichProgressBar, TQDMProgressBar
class Model(L.LightningModule):
    def __init__(self):
        super().__init__(); self.net = nn.Linear(4, 1)
    def training_step(self, batch, i):
        loss = nn.functional.mse_loss(self.net(batch[0]), batch[1])
        self.log("train_loss", loss, prog_bar=True); return loss
    def validation_step(self, batch, i):
        self.log("val_loss", nn.functional.mse_loss(self.net(batch[0]), batch[1]), prog_bar=True)
    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.01)
def fit(bar):
    L.Trainer(max_epochs=3, logger=False, enable_checkpointing=False, enable_model_summary=False, accelerator="cpu",
              callbacks=[bar]).fit(Model(), loader, loader)
"""
)
TRANSFORMERS = (
    TORCH_DATA
    + """
import sys
from transformers import Trainer, TrainingArguments
class Model(nn.Module):
    def __init__(self):
        super().__init__(); self.net = nn.Linear(4, 1)
    def forward(self, x=None, labels=None):
        out = self.net(x); return {"loss": nn.functional.mse_loss(out, labels), "logits": out}
rows = [{"x": a, "labels": b} for a, b in zip(x, y)]
def train(**more):
    args = TrainingArguments("/tmp/recorded-out", num_train_epochs=3, per_device_train_batch_size=8, logging_steps=4,
        report_to="none", save_strategy="no", use_cpu=True, **more)
    Trainer(Model(), args, train_dataset=rows, eval_dataset=rows[:32]).train()
"""
)
KERAS = """
import os; os.environ["KERAS_BACKEND"] = "jax"
import keras, numpy as np
keras.utils.set_random_seed(0)
x = np.random.rand(64, 4); y = x.sum(1, keepdims=True)
model = keras.Sequential([keras.layers.Dense(1)]); model.compile("sgd", "mse")
"""
SCRIPTS = {
    "tqdm": """
import time; from tqdm import tqdm
bar = tqdm(range(20), desc="train")
for i in bar:
    time.sleep(0.02); bar.set_postfix(loss=1 / (i + 1))
""",
    "tqdm-behind-a-logger": """
import logging, time; from tqdm.contrib.logging import logging_redirect_tqdm; from tqdm import trange
logging.basicConfig(level=logging.INFO, format="%(asctime)s - %(name)s - %(levelname)s - %(message)s")
class Out:
    def write(self, text):
        if text.strip(): logging.info(text.strip("\\r\\n"))
    def flush(self): pass
for i in trange(20, file=Out(), desc="train", mininterval=0): time.sleep(0.01)
""",
    "tqdm-loggable": """
import time; from tqdm_loggable.auto import tqdm; from tqdm_loggable.tqdm_logging import tqdm_logging
import logging, datetime; logging.basicConfig(level=logging.INFO); tqdm_logging.set_log_rate(datetime.timedelta(seconds=0.1))
bar = tqdm(range(20), desc="train")
for i in bar:
    time.sleep(0.05); bar.set_postfix(loss=1 / (i + 1))
""",
    "keras-1": KERAS + "model.fit(x, y, epochs=3, batch_size=8, validation_split=0.25, verbose=1)",
    "keras-2": KERAS + "model.fit(x, y, epochs=3, batch_size=8, validation_split=0.25, verbose=2)",
    "keras-evaluate": KERAS
    + "model.fit(x, y, epochs=2, batch_size=8, verbose=1); model.evaluate(x, y, batch_size=4); model.predict(x[:16])",
    "keras-nan": KERAS + "model.fit(x, y * np.nan, epochs=2, batch_size=8, verbose=1)",
    "lightning-tqdm": LIGHTNING + "fit(TQDMProgressBar())",
    "lightning-rich": LIGHTNING + "fit(RichProgressBar())",
    "transformers": TRANSFORMERS + "train()",
    "transformers-eval": TRANSFORMERS + "train(eval_strategy='epoch')",
    "transformers-without-bar": TRANSFORMERS + "train(disable_tqdm=True)",
    "accelerate": TORCH_DATA
    + """
from accelerate import Accelerator; from tqdm.auto import tqdm
accelerator = Accelerator(cpu=True); model = nn.Linear(4, 1); optimizer = torch.optim.SGD(model.parameters(), 0.01)
model, optimizer, loader = accelerator.prepare(model, optimizer, loader)
bar = tqdm(range(3 * len(loader)), disable=not accelerator.is_local_main_process)
for epoch in range(3):
    for a, b in loader:
        accelerator.backward(nn.functional.mse_loss(model(a), b)); optimizer.step(); bar.update(1)
    accelerator.print(f"epoch {epoch}:", {"accuracy": 0.5, "f1": 0.6})
""",
    "ignite": TORCH_DATA
    + """
from ignite.engine import Engine; from ignite.handlers import ProgressBar
trainer = Engine(lambda engine, batch: float((batch[0] ** 2).mean()))
ProgressBar(persist=True).attach(trainer, output_transform=lambda out: {"loss": out})
trainer.run(loader, max_epochs=3)
""",
    "fastai": TORCH_DATA
    + """
from fastai.learner import Learner; from fastai.data.core import DataLoaders; import fastai.callback.progress
learn = Learner(DataLoaders(loader, loader), nn.Linear(4, 1), loss_func=nn.MSELoss())
learn.fit(3, 0.01)
""",
    "stable-baselines3": """
import warnings; warnings.filterwarnings("ignore")
from stable_baselines3 import PPO
PPO("MlpPolicy", "CartPole-v1", verbose=1, n_steps=64, seed=0, device="cpu").learn(200)
""",
    "ultralytics": """
import os, numpy as np, warnings; warnings.filterwarnings("ignore")
from PIL import Image; from pathlib import Path
root = Path("/tmp/recorded-yolo")
for split in ("train", "val"):
    for kind in ("images", "labels"): (root / kind / split).mkdir(parents=True, exist_ok=True)
    for i in range(4):
        Image.fromarray(np.random.randint(0, 255, (32, 32, 3), dtype=np.uint8)).save(root / "images" / split / f"{i}.jpg")
        (root / "labels" / split / f"{i}.txt").write_text("0 0.5 0.5 0.4 0.4")
(root / "d.yaml").write_text(f"path: {root}\\ntrain: images/train\\nval: images/val\\nnames: [thing]\\n")
from ultralytics import YOLO
YOLO("yolo11n.yaml").train(data=str(root / "d.yaml"), epochs=2, imgsz=32, batch=2, device="cpu", workers=0,
    project="/tmp/recorded-yolo/runs", plots=False, amp=False)
""",
    "xgboost": """
import numpy as np, xgboost
x = np.random.rand(64, 4); y = (x.sum(1) > 2).astype(int); d = xgboost.DMatrix(x, y)
xgboost.train({"objective": "binary:logistic", "eval_metric": "logloss"}, d, 12, evals=[(d, "train"), (d, "eval")])
""",
    "lightgbm": """
import numpy as np, lightgbm
x = np.random.rand(64, 4); d = lightgbm.Dataset(x, x.sum(1))
lightgbm.train({"verbose": -1}, d, 6, valid_sets=[d], callbacks=[lightgbm.log_evaluation(1)])
""",
    "spacy": """
import spacy, random; from spacy.training import Example; from spacy.tokens import DocBin; from pathlib import Path
nlp = spacy.blank("en"); docs = []
for i in range(40):
    doc = nlp.make_doc("good day" if i % 2 else "bad day"); doc.cats = {"A": float(i % 2), "B": float(1 - i % 2)}; docs.append(doc)
DocBin(docs=docs, store_user_data=True).to_disk("/tmp/recorded.spacy")
from spacy.cli.init_config import init_config; from spacy.training.initialize import init_nlp; from spacy.training.loop import train
config = init_config(lang="en", pipeline=["textcat"], optimize="efficiency")
config = config.merge({"paths": {"train": "/tmp/recorded.spacy", "dev": "/tmp/recorded.spacy"}, "training": {"max_steps": 60, "eval_frequency": 20}})
train(init_nlp(config))
""",
}


def record(name: str) -> None:
    """Run one script without a terminal, as a job does, and write what it printed."""
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", SCRIPTS[name]],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=os.environ
        | {"PYTHONUNBUFFERED": "1", "HF_HUB_OFFLINE": "1", "YOLO_OFFLINE": "1", "COLUMNS": "100"},
        check=False,
    )
    kept = [line for line in run.stdout.split(b"\n") if b"://" not in line and b"/tmp" not in line]
    (HERE / f"{name}.log").write_bytes(b"\n".join(kept))


if __name__ == "__main__":
    for each in sys.argv[1:] or SCRIPTS:
        record(each)
