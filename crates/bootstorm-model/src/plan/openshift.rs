//! `OpenShift` Templates: objects with parameters, rendered as by `oc process`.

use std::collections::BTreeMap;

use rand::{Rng, RngExt};
use serde_json::{Map, Value, json};

/// Maximum length of the text generated for one part of an expression.
const LONGEST: usize = 255;

/// Values of parameters, given by the user
pub type Params = BTreeMap<String, String>;

/// Whether a document is a Template.
pub(super) fn is_template(document: &Value) -> bool {
    document["kind"] == "Template"
        && matches!(document["apiVersion"].as_str(), Some("template.openshift.io/v1" | "v1"))
        && document["objects"].is_array()
}

/// Reads `NAME=VALUE`.
pub fn parse_param(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write it as NAME=VALUE")?;
    if !is_name(name) {
        return Err("a parameter's name has letters, digits and underscores, such as DISK_SIZE".into());
    }
    Ok((name.to_owned(), value.to_owned()))
}

fn is_name(name: &str) -> bool {
    (1..=253).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// The objects of a Template with parameters filled in, and whether a value was generated randomly.
///
/// Fails with a sentence that names the parameter at fault; values are never quoted.
pub(super) fn render(
    template: &Value,
    params: &Params,
    rng: &mut impl Rng,
) -> Result<(Vec<Value>, bool), String> {
    // A parameter with another name cannot be referred to.
    let is_known = |parameter: &&Value| parameter["name"].as_str().is_some_and(is_name);
    let known: Vec<&Value> =
        template["parameters"].as_array().into_iter().flatten().filter(is_known).collect();
    let name_of = |parameter: &Value| parameter["name"].as_str().unwrap_or_default().to_owned();
    if let Some(unknown) =
        params.keys().find(|name| !known.iter().any(|known| known["name"] == name.as_str()))
    {
        let names: Vec<String> = known.iter().map(|one| name_of(one)).collect();
        let has = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        return Err(format!("--param {unknown}: the Template has no such parameter; it has {has}"));
    }
    let (mut values, mut missing, mut drawn) = (BTreeMap::new(), Vec::new(), false);
    for parameter in known {
        let name = name_of(parameter);
        let given = params.get(&name).cloned();
        let default = match &parameter["value"] {
            Value::String(value) => Some(value.clone()).filter(|value| !value.is_empty()),
            Value::Number(value) => Some(value.to_string()),
            Value::Bool(value) => Some(value.to_string()),
            _ => None,
        };
        let value = match (given.or(default), parameter["generate"].as_str()) {
            (Some(value), _) => value,
            (None, Some("expression")) => {
                drawn = true;
                let expression = parameter["from"].as_str().unwrap_or_default();
                generate(expression, rng).map_err(|why| format!("parameter {name}: {why}"))?
            }
            (None, Some(_)) => return Err(format!("parameter {name}: only `generate: expression` exists")),
            (None, None) if parameter["required"] == true => {
                missing.push(name);
                continue;
            }
            (None, None) => String::new(),
        };
        values.insert(name, value);
    }
    if !missing.is_empty() {
        let ways: Vec<String> = missing.iter().map(|name| format!("--param {name}=VALUE")).collect();
        return Err(format!(
            "the Template requires a value for {}; pass {}",
            missing.join(", "),
            ways.join(" ")
        ));
    }
    let mut objects: Vec<Value> =
        template["objects"].as_array().into_iter().flatten().map(|object| fill(object, &values)).collect();
    let labels = fill(&template["labels"], &values);
    let labels: super::metadata::Labels = labels
        .as_object()
        .into_iter()
        .flatten()
        .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
        .collect();
    for object in objects.iter_mut().filter(|object| object.is_object() && !labels.is_empty()) {
        super::metadata::add_labels(super::metadata::child(object, "metadata"), &labels);
    }
    Ok((objects, drawn))
}

fn fill(value: &Value, values: &BTreeMap<String, String>) -> Value {
    match value {
        Value::String(text) => fill_text(text, values),
        Value::Array(items) => items.iter().map(|item| fill(item, values)).collect(),
        Value::Object(map) => {
            let one = |(key, value): (&String, &Value)| {
                let key = match fill_text(key, values) {
                    Value::String(key) => key,
                    _ => key.clone(),
                };
                (key, fill(value, values))
            };
            Value::Object(map.iter().map(one).collect::<Map<String, Value>>())
        }
        other => other.clone(),
    }
}

/// Fills `${NAME}` anywhere in a text; `${{NAME}}`, which must be the whole text, may become a number or any other JSON
/// value. Names of unknown parameters stay as they are.
fn fill_text(text: &str, values: &BTreeMap<String, String>) -> Value {
    let whole = text.strip_prefix("${{").and_then(|rest| rest.strip_suffix("}}"));
    if let Some(value) = whole.and_then(|name| values.get(name)) {
        return serde_json::from_str(value).unwrap_or_else(|_| json!(value));
    }
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(begin) = rest.find("${") {
        let inside = &rest[begin + 2..];
        let value = inside.find('}').and_then(|end| Some((values.get(&inside[..end])?, end)));
        filled.push_str(&rest[..begin]);
        match value {
            Some((value, end)) => {
                filled.push_str(value);
                rest = &inside[end + 1..];
            }
            None => {
                filled.push_str("${");
                rest = inside;
            }
        }
    }
    filled.push_str(rest);
    json!(filled)
}

/// Generates a text for an expression such as `[a-z0-9]{8}-\d{4}`.
fn generate(expression: &str, rng: &mut impl Rng) -> Result<String, String> {
    let mut made = String::new();
    let mut rest = expression;
    while let Some(first) = rest.chars().next() {
        let (set, after) = match first {
            '[' => {
                let end = rest.find(']').ok_or("its expression has a `[` without `]`")?;
                (Some(characters(&rest[1..end])?), &rest[end + 1..])
            }
            '\\' => {
                let class = rest.get(..2).ok_or("its expression ends with a backslash")?;
                (Some(characters(class)?), &rest[2..])
            }
            _ => (None, &rest[first.len_utf8()..]),
        };
        let count = after.strip_prefix('{').and_then(|inside| {
            let (count, after) = inside.split_once('}')?;
            Some((count.parse::<usize>().ok()?, after))
        });
        match (set, count) {
            (Some(_), Some((count, _))) if !(1..=LONGEST).contains(&count) => {
                return Err(format!(
                    "its expression asks for {count} characters; 1 to {LONGEST} are possible"
                ));
            }
            (Some(set), Some((count, after))) => {
                made.extend((0..count).map(|_| set[rng.random_range(0..set.len())]));
                rest = after;
            }
            (Some(_), None) => return Err("its expression has a set of characters without {LENGTH}".into()),
            (None, _) => {
                made.push(first);
                rest = after;
            }
        }
    }
    Ok(made)
}

/// The characters of a set such as `a-zA-Z0-9` or `\w`.
fn characters(set: &str) -> Result<Vec<char>, String> {
    let mut found: Vec<char> = Vec::new();
    let mut rest: Vec<char> = set.chars().collect();
    rest.reverse();
    while let Some(first) = rest.pop() {
        if first == '\\' {
            match rest.pop() {
                Some('w') => found.extend(('a'..='z').chain('A'..='Z').chain('0'..='9').chain(['_'])),
                Some('d') => found.extend('0'..='9'),
                Some('a') => found.extend(('a'..='z').chain('A'..='Z').chain('0'..='9')),
                Some('A') => found.extend("~!@#$%^&*()-_+={}[]\\|<,>.?/\"';:`".chars()),
                _ => return Err("its expression has a class other than \\w, \\d, \\a and \\A".into()),
            }
        } else if rest.last() == Some(&'-') && rest.len() > 1 {
            rest.pop();
            let last = rest.pop().unwrap_or(first);
            if first > last {
                return Err("its expression has a range that is empty".into());
            }
            found.extend(first..=last);
        } else {
            found.push(first);
        }
    }
    if found.is_empty() { Err("its expression has an empty set of characters".into()) } else { Ok(found) }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;

    fn template() -> Value {
        json!({
            "apiVersion": "template.openshift.io/v1", "kind": "Template",
            "labels": {"app": "${NAME}"},
            "parameters": [
                {"name": "NAME", "required": true}, {"name": "CORES", "value": 2},
                {"name": "PASSWORD", "generate": "expression", "from": "[a-z]{4}-\\d{3}"}, {"name": "NOTE"},
            ],
            "objects": [{
                "kind": "VirtualMachine", "metadata": {"name": "${NAME}"},
                "spec": {"cores": "${{CORES}}", "text": "p: ${PASSWORD} ${NAME}${NOTE} ${HOME} ${", "${NAME}": 1},
            }],
        })
    }

    fn rendered(params: &[(&str, &str)]) -> Result<(Vec<Value>, bool), String> {
        let params = params.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        render(&template(), &params, &mut StdRng::seed_from_u64(1))
    }

    #[test]
    fn parameters_are_filled_in_as_oc_process_does() {
        let (objects, drawn) = rendered(&[("NAME", "web")]).unwrap();
        let vm = &objects[0];
        assert!(drawn && is_template(&template()));
        assert_eq!(vm["metadata"], json!({"name": "web", "labels": {"app": "web"}}));
        assert_eq!((&vm["spec"]["cores"], &vm["spec"]["web"]), (&json!(2), &json!(1)));
        let text = vm["spec"]["text"].as_str().unwrap();
        let password = text.strip_prefix("p: ").unwrap().split(' ').next().unwrap();
        let (letters, digits) = password.split_once('-').unwrap();
        assert!(letters.len() == 4 && letters.bytes().all(|byte| byte.is_ascii_lowercase()), "{text}");
        assert!(digits.len() == 3 && digits.bytes().all(|byte| byte.is_ascii_digit()), "{text}");
        assert!(text.ends_with(" web ${HOME} ${"), "{text}");
        assert!(!rendered(&[("NAME", "web"), ("PASSWORD", "p")]).unwrap().1);
    }

    #[test]
    fn parameters_without_a_value_and_values_without_a_parameter_are_named() {
        let why = rendered(&[]).unwrap_err();
        assert_eq!(why, "the Template requires a value for NAME; pass --param NAME=VALUE");
        let why = rendered(&[("NAME", "web"), ("NAMES", "MARKER")]).unwrap_err();
        assert!(
            why.starts_with("--param NAMES: ") && why.contains("CORES") && !why.contains("MARKER"),
            "{why}"
        );
    }

    #[test]
    fn odd_templates_do_not_end_the_program() {
        let mut odd = template();
        odd["labels"] = json!({"a": 1, "b": "c"});
        odd["parameters"] = json!([1, {"name": 2}, null]);
        odd["objects"] = json!(["x", {"metadata": "text"}, {"metadata": {"labels": []}}, null]);
        let (objects, _) = render(&odd, &Params::new(), &mut StdRng::seed_from_u64(1)).unwrap();
        assert_eq!(objects[1], json!({"metadata": {"labels": {"b": "c"}}}));
    }

    #[test]
    fn odd_expressions_are_refused() {
        let mut rng = StdRng::seed_from_u64(1);
        for odd in ["[a-z", "[a-z]", "[z-a]{2}", "[]{2}", "[a-z]{0}", "[a]{999}", "\\x{2}", "\\"] {
            assert!(generate(odd, &mut rng).is_err(), "{odd}");
        }
        assert_eq!(generate("plain", &mut rng).unwrap(), "plain");
        assert_eq!(generate("[a]{3}", &mut rng).unwrap(), "aaa");
    }
}
