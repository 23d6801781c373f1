"""Makes an image for `ctr --namespace k8s.io images import`: image.py NAME BINARY OUT.tar, or image.py NAME FOLDER OUT.tar PROGRAM.

A static binary is /app, and beside it there is only /tmp. A folder is the whole root, and PROGRAM is what runs. User 65532 either way.
"""

import hashlib
import io
import json
import os
import platform
import sys
import tarfile

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def layer_of(root):
    """One layer as a tar."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        if os.path.isdir(root):
            for entry in sorted(os.listdir(root)):
                tar.add(os.path.join(root, entry), entry)
            return buffer.getvalue()
        tar.add(root, "app")
        tmp = tarfile.TarInfo("tmp")
        tmp.type, tmp.mode = tarfile.DIRTYPE, 0o1777
        tar.addfile(tmp)
    return buffer.getvalue()


def main():
    name, root, out, *program = sys.argv[1:]
    layer = layer_of(root)
    config = {
        "architecture": ARCHITECTURES[platform.machine()],
        "os": "linux",
        "config": {"Entrypoint": program or ["/app"], "User": "65532"},
        "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(layer).hexdigest()]},
    }
    manifest = [{"Config": "config.json", "RepoTags": [name], "Layers": ["layer.tar"]}]
    files = {
        "config.json": json.dumps(config).encode(),
        "layer.tar": layer,
        "manifest.json": json.dumps(manifest).encode(),
    }
    with tarfile.open(out, "w") as tar:
        for path, content in files.items():
            info = tarfile.TarInfo(path)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))


main()
