//! Names and labels, as Kubernetes allows them.

use crate::value::Value;

use super::super::status::{Cause, Failure};
use crate::store::Kind;
use crate::store::kind::NAMESPACES;

const SUBDOMAIN: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const LABEL: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const LABEL_VALUE: &str = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";

pub(super) fn check_name(kind: &Kind, object: &Value) -> Result<(), Failure> {
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    let generated = object["metadata"]["generateName"].as_str().unwrap_or_default();
    if name.is_empty() && generated.is_empty() {
        let message = "Required value: name or generateName is required".to_owned();
        let cause = Cause { reason: "FieldValueRequired", field: "metadata.name".to_owned(), message };
        return Err(Failure::invalid(kind, "", &[cause]));
    }
    if name.is_empty() {
        return Ok(());
    }
    let (longest, fine, rule) = if kind.is(&NAMESPACES) {
        (63, is_label(name), LABEL)
    } else {
        (253, name.split('.').all(is_label), SUBDOMAIN)
    };
    let why = if name.len() > longest {
        format!("must be no more than {longest} characters")
    } else if fine {
        return Ok(());
    } else {
        rule.to_owned()
    };
    let cause = Cause::invalid("metadata.name", format!("Invalid value: \"{name}\": {why}"));
    Err(Failure::invalid(kind, name, &[cause]))
}

pub(super) fn check_labels(kind: &Kind, object: &Value) -> Result<(), Failure> {
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    let refuse = |value: &str, why: &str| {
        let cause = Cause::invalid("metadata.labels", format!("Invalid value: \"{value}\": {why}"));
        Err(Failure::invalid(kind, name, &[cause]))
    };
    for (key, value) in object["metadata"]["labels"].as_object().into_iter().flatten() {
        let Some(value) = value.as_str() else {
            let message = format!("unrecognized type: string: metadata.labels.{key}");
            return Err(Failure::bad_request(message));
        };
        if value.len() > 63 {
            return refuse(value, "must be no more than 63 bytes");
        }
        let fine = value.is_empty()
            || (value.bytes().all(|letter| letter.is_ascii_alphanumeric() || b"-_.".contains(&letter))
                && value.starts_with(|letter: char| letter.is_ascii_alphanumeric())
                && value.ends_with(|letter: char| letter.is_ascii_alphanumeric()));
        if !fine {
            return refuse(value, LABEL_VALUE);
        }
    }
    Ok(())
}

fn is_label(text: &str) -> bool {
    let fine = |letter: u8| letter.is_ascii_lowercase() || letter.is_ascii_digit();
    !text.is_empty()
        && text.bytes().all(|letter| fine(letter) || letter == b'-')
        && text.bytes().next().is_some_and(fine)
        && text.bytes().next_back().is_some_and(fine)
}

#[cfg(test)]
mod tests {
    use crate::value::json;

    use super::*;
    use crate::store::kind::VIRTUAL_MACHINES;

    fn named(kind: &Kind, name: &str) -> Result<(), Failure> {
        check_name(kind, &json!({"metadata": {"name": name}}))
    }

    #[test]
    fn machines_may_have_long_names_but_no_capitals() {
        assert!(named(&VIRTUAL_MACHINES, &"a".repeat(64)).is_ok());
        assert!(named(&VIRTUAL_MACHINES, "a.b-c").is_ok());
        let failure = named(&VIRTUAL_MACHINES, "VM1").unwrap_err();
        let message = failure.status()["message"].as_str().unwrap().to_owned();
        assert!(message.starts_with("VirtualMachine.kubevirt.io \"VM1\" is invalid: metadata.name: Invalid value: \"VM1\": a lowercase RFC 1123 subdomain"));
        assert!(named(&VIRTUAL_MACHINES, "").is_err() && named(&VIRTUAL_MACHINES, "-a").is_err());
    }

    #[test]
    fn namespaces_are_single_labels() {
        assert!(named(&NAMESPACES, "a.b").is_err() && named(&NAMESPACES, &"a".repeat(64)).is_err());
    }

    #[test]
    fn label_values_are_short() {
        let labelled =
            |value: &str| check_labels(&VIRTUAL_MACHINES, &json!({"metadata": {"labels": {"a": value}}}));
        assert!(labelled("").is_ok() && labelled("A_b.c-1").is_ok());
        assert!(labelled(&"a".repeat(64)).is_err() && labelled("a b").is_err() && labelled("-").is_err());
    }
}
