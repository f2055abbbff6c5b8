"""Where a model computes: a GPU if there is one, or what ``SPOOR_DEVICE`` names."""

import torch

from core.errors import BadInput
from core.model.encoder import Encoder
from core.settings import Settings


def best_device() -> torch.device:
    """Return the device that the settings ask for, by default a GPU if there is one.

    Raises
    ------
    BadInput
        If there is no such device, or no GPU although one was asked for.
    """
    asked = Settings().device
    if asked is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    accepted = "Accepted: cpu, cuda, or cuda:0 and so on."
    try:
        device = torch.device(asked)
    except RuntimeError as error:
        raise BadInput(f"SPOOR_DEVICE={asked} names no device. {accepted}") from error
    if device.type not in ("cpu", "cuda"):
        raise BadInput(f"SPOOR_DEVICE={asked}: Spoor computes on no such device. {accepted}")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise BadInput(f"SPOOR_DEVICE={asked}, but {_why_no_gpu()}. {accepted}")
    return device


def place(encoder: Encoder, device: torch.device) -> Encoder:
    """Move a model to its device; on a GPU it computes in bf16.

    Raises
    ------
    BadInput
        If it does not fit the device's free memory.
    """
    try:
        return encoder.to(device, torch.bfloat16 if device.type == "cuda" else torch.float32)
    except torch.OutOfMemoryError as error:
        free, total = torch.cuda.mem_get_info(device)
        raise BadInput(
            f"The model does not fit {device}: {free / 2**30:.1f} of {total / 2**30:.1f} GB are "
            "free. End what else uses it, or set SPOOR_DEVICE=cpu."
        ) from error


def _why_no_gpu() -> str:
    if torch.version.cuda is None:
        return "this installation of torch was built without CUDA"
    found = torch.cuda.device_count()
    if found:
        return f"this machine has {found} GPU(s), counted from 0"
    return f"torch finds no GPU: its CUDA {torch.version.cuda} may need a newer driver (nvidia-smi)"
