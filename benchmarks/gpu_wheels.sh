#!/usr/bin/env bash
# Gather the wheels that a machine with Python 3.12 and torch 2.11, but without network, lacks:
#   bash benchmarks/gpu_wheels.sh FOLDER
# and there, in the checkout:
#   python3 -m pip install --no-index --no-deps --target SITE FOLDER/*.whl
#   PYTHONPATH=SITE:$PWD python3 benchmarks/gpu.py
# torch, torchvision, timm, numpy, OpenCV, SciPy, Matplotlib, PyArrow, pandas, scikit-learn,
# scikit-image, safetensors, rich and pytest are expected there. pyogrio, another copy of GDAL, would
# break the limit: the footprints test alone wants it and is skipped.
set -euo pipefail
cd "$(dirname "$0")/.."
out=${1:?usage: bash benchmarks/gpu_wheels.sh FOLDER}
python=${PYTHON:-python3}
limit_mib=60
pure=(
    onedl-mmengine onedl-mmcv onedl-mmpretrain onedl-mmsegmentation onedl-mmdetection
    addict yapf termcolor terminaltables mat4py modelindex model-index ordered-set prettytable
    wcwidth affine cligj attrs click-plugins ftfy
)
compiled=(rasterio shapely pyproj pycocotools)

# The tested version of a package, as `name==version`; the bare name if none is noted.
pinned() {
    { grep -E "^$1==" requirements/constraints.txt || echo "$1"; } |
        { grep -v 'python_version < ' || true; } | cut -d';' -f1 | head -n 1 | tr -d ' '
}

mkdir -p "$out"
for name in "${pure[@]}"; do
    MMCV_WITH_OPS=0 "$python" -m pip wheel -q --no-deps --no-cache-dir -w "$out" "$(pinned "$name")"
done
platforms=()
for glibc in 17 24 27 28 31; do platforms+=(--platform "manylinux_2_${glibc}_x86_64"); done
for name in "${compiled[@]}"; do
    "$python" -m pip download -q --no-deps --only-binary=:all: --implementation cp \
        --python-version 3.12 "${platforms[@]}" --platform manylinux2014_x86_64 -d "$out" \
        "$(pinned "$name")"
done

size=$(du -sm "$out" | cut -f1)
foreign=$(find "$out" -name '*.whl' ! -name '*-any.whl' ! -name '*cp312-cp312-*' ! -name '*-abi3-*')
[ -z "$foreign" ] || { echo "not for Python 3.12:"; echo "$foreign"; exit 1; }
echo "$(find "$out" -name '*.whl' | wc -l) wheels, $size MiB of $limit_mib: $out"
[ "$size" -le "$limit_mib" ]
