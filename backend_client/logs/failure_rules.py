"""The table of lines that say why a program failed.

A cause (an exception, a CUDA error, no memory) weighs more than what it led to in other ranks or in the
launcher (a connection that was reset, torchrun's summary), even where that was written first.
"""

import re
from typing import NamedTuple

from backend_client.line_prefix import strip_launcher

CAUSE, SIGN, AFTERMATH, HARMLESS = range(4)
"""How much a line explains: the smaller, the more."""
_LONGEST = 1_000
"""Bytes of a line that are searched."""


class Rule(NamedTuple):
    """A line that has one of `needles` and matches `pattern` reports the failure that `message` names."""

    message: str
    weight: int
    needles: tuple[bytes, ...]
    pattern: re.Pattern[bytes]


def _rule(message: str, weight: int, needles: bytes, pattern: bytes = b"") -> Rule:
    return Rule(message, weight, tuple(needles.split(b"|")), re.compile(pattern))


_SHELL = rb"^(?:\S*/)?(?:ba|z|da|k|a)?sh: |^\S+\.(?:sh|bash|sbatch): |^\S*slurm_script: |^\S*: line \d+: "
"""How a line of a shell begins."""
_EXCEPTION = rb"(?:[A-Za-z_]\w*\.)*[A-Z]\w*(?:Error|Exception|StopIteration|Exit|Interrupt|Timeout|Failure)"

RULES = (
    _rule("torchrun's summary", AFTERMATH, b"ChildFailedError|ProcessRaisedException|ProcessExitedException"),
    _rule(
        "a program that was started",
        AFTERMATH,
        b"CalledProcessError|ActorDiedError|RayActorError|WorkerCrashedError|terminated with code"
        b"|MPI_ABORT was invoked"
        b"|mpirun noticed|mpiexec noticed|make: ***|Exited with exit code|returned non-zero exit status",
    ),
    _rule(
        "interrupted",
        AFTERMATH,
        b"KeyboardInterrupt|SystemExit|SignalException|Aborted!|got signal: 15|got signal: 2"
        b"|Received SIGTERM",
        rb"^(?:[\w.]+(?::|$)|(?:\^C)?Aborted!|.*signal|.*SIGTERM)",
    ),
    _rule(
        "another rank went away",
        AFTERMATH,
        b"onnection reset by peer|onnection closed by|roken pipe|ncclRemoteError|remote process exited"
        b"|ncclSystemError|unhandled system error|DistStoreError|store->get|Sending process",
    ),
    _rule(
        "an exit code",
        AFTERMATH,
        b"failed (exitcode|exited with code|exit code|exitcode",
        rb"(?:exit ?code|code)\W+[1-9-]",
    ),
    _rule(
        "some of several", AFTERMATH, b"ExceptionGroup: ", rb"^[\s|+-]*(?:\w+\.)*(?:Base)?ExceptionGroup: "
    ),
    _rule(
        "a warning",
        HARMLESS,
        b"Error|rror:|Exception|ailed",
        rb"^(?:.{0,40}\b(?:WARN(?:ING)?|Warning|warning|DEBUG|INFO)\b[\]:| ]|\S+Warning: "
        rb"|W\d{4} )|(?i:\bretry(?:ing)?\b|\bretries\b(?! exceeded)|\bwill try again\b|\bfalling back\b"
        rb"|\battempt \d+(?:/| of )\d+|\bignor(?:ing|ed)\b|\bskipp(?:ing|ed)\b)",
    ),
    _rule(
        "out of GPU memory",
        CAUSE,
        b"CUDA out of memory|OutOfMemoryError|HIP out of memory|RESOURCE_EXHAUSTED|CUDA_ERROR_OUT_OF_MEMORY"
        b"|cudaErrorMemoryAllocation",
    ),
    _rule(
        "out of memory",
        CAUSE,
        b"Cannot allocate memory|MemoryError|oom-kill|OOMKilled|oom_kill|oom_reaper|ut of memory: Kill"
        b"|OOM Killed"
        b"|std::bad_alloc|insufficient shared memory|DefaultCPUAllocator|Java heap space"
        b"|exceeded job memory limit"
        b"|exceeded memory limit|Exceeded job memory limit|memory limit of the job|Out Of Memory"
        b"|OOM killer|OOM-killer",
    ),
    _rule(
        "CUDA",
        CAUSE,
        b"CUDA error|CUDA driver error|cudaError|CUBLAS_STATUS_|CUDNN_STATUS_|device-side assert|CUDA_ERROR_"
        b"|CUSOLVER_STATUS_|CUFFT_|CUSPARSE_STATUS_|NVIDIA driver on your system|no CUDA-capable device"
        b"|Found no NVIDIA driver|No CUDA GPUs are available|no kernel image is available|HIP error|hipError"
        b"|HSA_STATUS_ERROR|initialize NVML|driver/library version mismatch"
        b"|CUDA driver version is insufficient"
        b"|Torch not compiled with CUDA|illegal memory access",
        rb"^(?!.*(?:register|cudaErrorSuccess|STATUS_SUCCESS|TORCH_USE_CUDA_DSA|CUDA_LAUNCH_BLOCKING"
        rb"|might be asynchronously))",
    ),
    _rule("GPU fault (Xid)", CAUSE, b"NVRM: Xid|uncorrectable ECC|fallen off the bus"),
    _rule(
        "NCCL",
        CAUSE,
        b"NCCL error|ncclInternalError|ncclUnhandledCudaError|ncclInvalidUsage|Watchdog caught"
        b"|watchdog got stuck"
        b"|Heartbeat monitor timed out|NCCL timeout|monitoredBarrier|Timed out waiting"
        b"|collective operation timeout",
    ),
    _rule("failed assertion", CAUSE, b"Assertion|assertion", rb"ssertion .*\bfailed|ssertion failed"),
    _rule("failed check", CAUSE, b"Check failed|Non-OK-status", rb"Check failed: |Non-OK-status: "),
    _rule(
        "crash",
        CAUSE,
        b"egmentation fault|SIGSEGV|SIGBUS|SIGILL|SIGFPE|SIGABRT|Bus error|bus error|Fatal Python error"
        b"|terminate called"
        b"|core dumped|llegal instruction|*** Aborted|double free or corruption|stack smashing"
        b"|loating point exception"
        b"|malloc(): |free(): |munmap_chunk()|corrupted |pure virtual method|stack overflow|SIGNAL 11"
        b"|signal 11",
        rb"egmentation fault|SIG(?:SEGV|BUS|ILL|FPE|ABRT)|[Bb]us error|Fatal Python error|terminate called"
        rb"|core dumped"
        rb"|llegal instruction|\*\*\* Aborted|double free or corruption|stack smashing"
        rb"|loating point exception"
        rb"|^(?:malloc|free)\(\): |munmap_chunk\(\)|^corrupted (?:size|double|unsorted)|pure virtual method"
        rb"|^.{0,60}stack overflow|(?i:signal 11\b)",
    ),
    _rule("disk full", CAUSE, b"No space left on device|isk quota exceeded"),
    _rule(
        "a file or disk",
        CAUSE,
        b"Read-only file system|Stale file handle|Transport endpoint is not connected|Too many open files",
    ),
    _rule(
        "program or file not found",
        CAUSE,
        b"ommand not found|can't open file|: not found|executable file not found|No module named"
        b"|bad interpreter"
        b"|required file not found|not found (required by",
        rb"ommand not found|can't open file|"
        + _SHELL
        + rb"(?:.*: )?not found$|executable file not found|bad interpreter"
        rb"|required file not found|: No module named |^Error: No module named|not found \(required by"
        rb"|^(?:/usr/bin/)?env: .*: No such",
    ),
    _rule("program or file not found", CAUSE, b"env: ", rb"^(?:/\S*/)?env: .*No such file"),
    _rule(
        "cannot be run",
        CAUSE,
        b"xec format error|cannot execute|OCI runtime|exec: |exec /|exec user process",
        rb"xec format error|cannot execute|OCI runtime.{0,60}fail|^exec:? \S+: |starting container process"
        rb"|exec user process",
    ),
    _rule(
        "a library is missing",
        CAUSE,
        b"cannot open shared object file|while loading shared libraries|undefined symbol|symbol lookup error",
    ),
    _rule(
        "no permission", CAUSE, b"ermission denied", _SHELL + rb"|^(?:exec|python\S*|\S+/python\S*|sudo)\b"
    ),
    _rule(
        "the shell",
        CAUSE,
        b"unbound variable|parameter not set|parameter null or not set|syntax error|unexpected EOF"
        b"|Argument list too long"
        b"|bad substitution|ambiguous redirect|unexpected end of file|cd: ",
        _SHELL
        + rb"(?=.*(?:unbound variable|parameter |yntax error|unexpected|list too long|bad subst|ambiguous"
        rb"|cd: ))",
    ),
    _rule(
        "hydra",
        CAUSE,
        b"In '|Could not override|Could not find|Cannot find primary config|Primary config "
        b"|Error executing job with"
        b"|Error in call to target|Missing mandatory value|is not in struct|You must specify '"
        b"|Error merging override"
        b"|Ambiguous value for|mismatched input|LexerNoViableAlt|missing EOF at",
        rb"^(?:In '[^']*': |Could not override '|Cannot find primary config|Primary config (?:module"
        rb"|directory) "
        rb"|Error executing job with overrides|Error in call to target|Missing mandatory value: "
        rb"|Key '[^']*' is not in struct"
        rb"|You must specify '|Error merging override|Ambiguous value for argument|mismatched input"
        rb"|LexerNoViableAlt"
        rb"|missing EOF at|Could not find '[^']+' in)",
    ),
    _rule(
        "wrong arguments",
        CAUSE,
        b": error: |No such option|Missing argument|Missing option|Missing command|No such command"
        b"|nvalid value for|"
        b"unexpected extra argument|does not take a value|requires an argument|lags parsing error"
        b"|nrecognized arguments"
        b"|nrecognized option|nvalid choice|nknown option|nvalid option",
        rb"^[\w./-]+(?: [\w./-]+){0,4}: error: (?!Detected|\*\*\*|node)"
        rb"|^(?:\W*(?:[Ee]rror: )?)?(?:No such option|Missing (?:argument"
        rb"|option|command)|No such command|Invalid value for|Got unexpected extra argument"
        rb"|Option '?-.* (?:does not take a"
        rb" value|requires an argument))|lags parsing error|^\S+: (?:un|in)\w+ option|^(?:usage"
        rb"|Usage).*nvalid choice",
    ),
    _rule(
        "the scheduler ended it", CAUSE, b"CANCELLED AT|DUE TO TIME LIMIT|TIME LIMIT ***|DUE TO PREEMPTION"
    ),
    _rule(
        "the loss is no number",
        CAUSE,
        b"oss is nan|oss is NaN|oss is inf|oss became nan|oss is not finite"
        b"|non-finite loss|NaN loss|nan loss",
        rb"(?i)(?:stop|giv(?:e|ing) up|abort|exit|terminat|rais|error|diverg)",
    ),
    _rule(
        "exception",
        CAUSE,
        b"Error|Exception|StopIteration",
        rb"^[\s|]{0,12}" + _EXCEPTION + rb"(?:\([^()]{0,80}\))?(?:: |:?$|\(['\"])",
    ),
    _rule(
        "exception",
        CAUSE,
        b"Exception in thread|Caused by: |Uncaught |LoadError: ",
        rb"^(?:Exception in thread \"[^\"]+\" |Caused by: |Uncaught |ERROR: LoadError: )",
    ),
    _rule("panic", CAUSE, b"panicked at|panic: |fatal error: ", rb"panicked at|^panic: |^fatal error: "),
    _rule(
        "killed",
        SIGN,
        b"Killed|SIGKILL|signal 9|signal: 9|exit code 137",
        rb"(?:^|:\s|\d\s)Killed\b|SIGKILL|(?:by|with|got|on) signal:? 9\b|exit code 137\b",
    ),
    _rule(
        "ended by a signal",
        SIGN,
        b"Terminated|Aborted|Hangup|trap",
        rb"^(?:.*\d\s+)?(?:Terminated|Aborted|Hangup|Trace/breakpoint trap)\b",
    ),
    _rule("NCCL's warning", SIGN, b"NCCL WARN"),
    _rule("no such file", SIGN, b"No such file or directory|no such file or directory"),
    _rule("a data loader", SIGN, b"exited unexpectedly"),
    _rule("hydra", SIGN, b"HYDRA_FULL_ERROR=1"),
    _rule("traceback", SIGN, b"Traceback (most recent"),
    _rule(
        "error",
        SIGN,
        b"ERROR|FATAL|CRITICAL|Error: |Error in |rror:|ERR_|Execution halted",
        rb"\b(?:FATAL|CRITICAL)\b|^.{0,60}\bERROR\b(?!.*\bpip\b)|^(?:\W{0,4}|\S{1,40}: )(?:Error"
        rb"|[Ff]atal(?: error)?|error): \S"
        rb"|^Error in \S|^Execution halted",
    ),
    _rule("no permission", SIGN, b"ermission denied", rb"^\S.*: [Pp]ermission denied$"),
)
_NEEDLES = tuple({needle for rule in RULES for needle in rule.needles})


def classify(line: bytes) -> Rule | None:
    """Return the first rule of the table that fits a line; None where it reports no failure."""
    line = line[:_LONGEST]
    fitting = [rule for rule in RULES if any(needle in line for needle in rule.needles)]
    if not fitting:
        return None
    words = strip_launcher(line).rstrip(b"\r")
    found = next((rule for rule in fitting if rule.pattern.search(words)), None)
    return found if found and found.weight != HARMLESS else None


def suspects(block: bytes) -> list[int]:
    """Return the offsets of the lines that have a needle in them: quick, as most lines have none."""
    starts = set()
    for needle in _NEEDLES:
        position = block.find(needle)
        while position >= 0:
            starts.add(block.rfind(b"\n", 0, position) + 1)
            end = block.find(b"\n", position)
            position = block.find(needle, end) if end >= 0 else -1
    return sorted(starts)
