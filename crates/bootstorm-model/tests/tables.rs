//! Tables of what other programs parse, rebuilt with these programs where they are installed.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "tests fail by panicking, and say what they skip"
)]

use std::path::{Path, PathBuf};
use std::process::Command;

use bootstorm_model::plan::yaml;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

#[test]
fn durations_are_still_what_go_takes() {
    let script = repository().join("scripts/tables/durations.go");
    let Ok(output) = Command::new("go").arg("run").arg(script).env("GOTOOLCHAIN", "local").output() else {
        eprintln!("SKIPPED: there is no go on this machine");
        return;
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8_lossy(&output.stdout), include_str!("tables/durations.tsv"));
}

/// A text and how readers parse it: the objects without their names, and `refused` where a reader stops
#[derive(Debug, Serialize, Deserialize)]
struct Row {
    yaml: String,
    kubectl: Vec<Value>,
    /// kubectl's result in other cases: version 1.32, or at random where the keys `on` and `'true'` collide.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    or_kubectl: Option<Vec<Value>>,
    /// The result of `kubectl kustomize` for a text with a merge key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kustomize: Option<Vec<Value>>,
    /// This tool's result, where it differs on purpose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ours: Option<Vec<Value>>,
    /// The reason for the difference.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    why: Option<String>,
}

const HEAD: &str = "apiVersion: x.org/v1\nkind: Thing\nmetadata: {name: NAME}\n";

impl Row {
    /// The whole text, with this name for its objects.
    fn text(&self, name: &str) -> String {
        let is_whole = self.yaml.contains("NAME");
        if is_whole { self.yaml.replace("NAME", name) } else { HEAD.replace("NAME", name) + &self.yaml }
    }
}

fn rows() -> Vec<Row> {
    let table = include_str!("tables/yaml.jsonl");
    table.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Numbers beyond signed 64 bits are compared as floats, since JSON writers differ in their digits.
fn bare(mut object: Value) -> Value {
    fn large_as_float(value: &mut Value) {
        match value {
            Value::Number(number) if number.as_i64().is_none() => *value = json!(number.as_f64()),
            Value::Array(items) => items.iter_mut().for_each(large_as_float),
            Value::Object(map) => map.values_mut().for_each(large_as_float),
            _ => {}
        }
    }
    if let Some(map) = object.as_object_mut() {
        map.retain(|key, _| !["apiVersion", "kind", "metadata"].contains(&key.as_str()));
    }
    large_as_float(&mut object);
    object
}

fn refused() -> Value {
    json!("refused")
}

fn ours(row: &Row) -> Vec<Value> {
    match yaml::read(&row.text("r")) {
        Ok(read) => read.documents.into_iter().filter(|document| !document.is_null()).map(bare).collect(),
        Err(_) => vec![refused()],
    }
}

#[test]
fn yaml_is_read_as_kubectl_reads_it() {
    let rows = rows();
    assert!(rows.len() >= 120);
    let wrong: Vec<String> = rows
        .iter()
        .filter(|row| ours(row) != *row.ours.as_ref().unwrap_or(&row.kubectl))
        .map(|row| {
            let expected = row.ours.as_ref().unwrap_or(&row.kubectl);
            let fault = yaml::read(&row.text("r")).err().map(|fault| fault.to_string()).unwrap_or_default();
            format!("{:?}\n  want {}\n  have {} {fault}", row.yaml, json!(expected), json!(ours(row)))
        })
        .collect();
    assert!(wrong.is_empty(), "{} rows\n{}", wrong.len(), wrong.join("\n"));
    for row in rows.iter().filter(|row| row.ours.is_some()) {
        assert!(row.why.is_some() && row.ours.as_ref() != Some(&row.kubectl), "{:?}", row.yaml);
    }
}

/// A text that kubectl parses differently is read with a warning; so is a merge that kustomize treats differently.
#[test]
fn a_text_that_another_reader_takes_otherwise_is_warned_of() {
    for row in rows() {
        let Ok(read) = yaml::read(&row.text("r")) else { continue };
        let differs = row.ours.is_some() || row.kustomize.as_ref().is_some_and(|other| *other != row.kubectl);
        let is_exempt = row.why.as_ref().is_some_and(|why| why.starts_with("without a warning: "));
        let is_warned = !read.warnings.is_empty();
        assert_eq!(is_warned, differs && !is_exempt, "{:?} {:?}", row.yaml, read.warnings);
    }
}

/// Runs the real kubectl over all rows; `BOOTSTORM_WRITE_TABLES=1` writes its results.
///
/// `KUBECTL` names another program than `kubectl`.
#[test]
fn the_table_of_yaml_is_what_kubectl_does() {
    let kubectl = std::env::var_os("KUBECTL").unwrap_or_else(|| "kubectl".into());
    let run = |arguments: &[&str]| {
        let mut command = Command::new(&kubectl);
        command.args(arguments).env("KUBECONFIG", "/nonexistent").env_remove("KUBERNETES_SERVICE_HOST");
        command.output().ok()
    };
    if run(&["version", "--client"]).is_none() {
        let is_forbidden = std::env::var("BOOTSTORM_SKIP").is_ok_and(|value| value == "never");
        assert!(!is_forbidden, "there is no kubectl on this machine");
        eprintln!("SKIPPED: there is no kubectl on this machine");
        return;
    }
    let mut rows = rows();
    let folder = tempfile::tempdir().unwrap();
    let name = |number: usize| format!("r{number:04}");
    for (number, row) in rows.iter().enumerate() {
        std::fs::write(folder.path().join(name(number) + ".yaml"), row.text(&name(number))).unwrap();
    }
    let path = folder.path().to_str().unwrap();
    let output = run(&["label", "--local", "-f", path, "a=b", "-o", "json"]).unwrap();
    let mut found: Vec<Vec<Value>> = rows.iter().map(|_| Vec::new()).collect();
    for object in serde_json::Deserializer::from_slice(&output.stdout).into_iter::<Value>() {
        let object = object.unwrap();
        let number: usize = object["metadata"]["name"].as_str().unwrap()[1..].parse().unwrap();
        found[number].push(bare(object));
    }
    let complaints = String::from_utf8_lossy(&output.stderr).into_owned();
    for (number, objects) in found.iter_mut().enumerate() {
        if complaints.contains(&(name(number) + ".yaml")) {
            objects.push(refused());
        }
    }
    let kustomized = |number: usize, row: &Row| {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a.yaml"), row.text(&name(number))).unwrap();
        std::fs::write(folder.path().join("kustomization.yaml"), "resources: [a.yaml]\n").unwrap();
        let output = run(&["kustomize", folder.path().to_str().unwrap()]).unwrap();
        if !output.status.success() {
            return vec![refused()];
        }
        let text = String::from_utf8(output.stdout).unwrap();
        yaml::read(&text).unwrap().documents.into_iter().map(bare).collect()
    };
    let merges = |row: &Row| row.yaml.contains("<<") && row.yaml.contains("v:\n");
    if std::env::var_os("BOOTSTORM_WRITE_TABLES").is_some() {
        let mut table = String::new();
        for (number, (row, found)) in rows.iter_mut().zip(found).enumerate() {
            row.kustomize = merges(row).then(|| kustomized(number, row));
            row.kubectl = found;
            table += &(serde_json::to_string(row).unwrap() + "\n");
        }
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tables/yaml.jsonl");
        return std::fs::write(path, table).unwrap();
    }
    for (number, (row, found)) in rows.iter().zip(found).enumerate() {
        assert!(found == row.kubectl || Some(&found) == row.or_kubectl.as_ref(), "{:?} {found:?}", row.yaml);
        if let Some(expected) = &row.kustomize {
            assert_eq!(kustomized(number, row), *expected, "{:?}", row.yaml);
        }
    }
}
