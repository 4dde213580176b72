//! Label selectors: `a=b, c!=d, e in (f,g), h notin (i), j, !k`.

use crate::value::Value;

use super::super::status::Failure;

/// Requirements on labels, all of which must hold
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Labels(Vec<Requirement>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Requirement {
    key: String,
    test: Test,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Test {
    In(Vec<String>),
    NotIn(Vec<String>),
    Exists,
    Missing,
}

impl Labels {
    pub(super) fn parse(text: &str) -> Result<Self, Failure> {
        let refuse = |part: &str| Failure::bad_request(format!("unable to parse requirement: {part}"));
        split(text)
            .into_iter()
            .map(|part| requirement(part).ok_or_else(|| refuse(part)))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn fits(&self, labels: &Value) -> bool {
        self.0.iter().all(|requirement| {
            let value = labels.get(&requirement.key).and_then(Value::as_str);
            match &requirement.test {
                Test::In(values) => value.is_some_and(|value| values.iter().any(|wanted| wanted == value)),
                Test::NotIn(values) => value.is_none_or(|value| values.iter().all(|wanted| wanted != value)),
                Test::Exists => value.is_some(),
                Test::Missing => value.is_none(),
            }
        })
    }
}

/// Splits at commas outside parentheses.
fn split(text: &str) -> Vec<&str> {
    let mut depth = 0_i32;
    let parts = text.split(|letter: char| {
        depth += i32::from(letter == '(') - i32::from(letter == ')');
        letter == ',' && depth == 0
    });
    parts.map(str::trim).filter(|part| !part.is_empty()).collect()
}

fn requirement(part: &str) -> Option<Requirement> {
    let one = |key: &str, values: Vec<String>, positive: bool| {
        let test = if positive { Test::In(values) } else { Test::NotIn(values) };
        named(key, test)
    };
    if let Some(key) = part.strip_prefix('!') {
        return named(key, Test::Missing);
    }
    if let Some((head, list)) = part.split_once('(') {
        let values = list.strip_suffix(')')?.split(',').map(|value| value.trim().to_owned()).collect();
        let (key, operator) = head.trim().rsplit_once(char::is_whitespace)?;
        return match operator {
            "in" => one(key, values, true),
            "notin" => one(key, values, false),
            _ => None,
        };
    }
    for (operator, positive) in [("!=", false), ("==", true), ("=", true)] {
        if let Some((key, value)) = part.split_once(operator) {
            return one(key, vec![value.trim().to_owned()], positive);
        }
    }
    named(part, Test::Exists)
}

fn named(key: &str, test: Test) -> Option<Requirement> {
    let key = key.trim();
    let fine = |letter: char| letter.is_ascii_alphanumeric() || "-_./".contains(letter);
    (!key.is_empty() && key.chars().all(fine)).then(|| Requirement { key: key.to_owned(), test })
}

#[cfg(test)]
mod tests {
    use crate::value::json;

    use super::*;

    fn fits(selector: &str) -> bool {
        Labels::parse(selector).unwrap().fits(&json!({"app": "web", "tier/x": "1"}))
    }

    #[test]
    fn every_operator_works() {
        assert!(
            fits("") && fits("app=web") && fits("app == web,tier/x=1") && fits("app!=db") && fits("none!=x")
        );
        assert!(
            fits("app in (db, web)") && fits("app notin (db),!none") && fits("app") && fits("none notin (a)")
        );
        assert!(
            !fits("app=db")
                && !fits("none")
                && !fits("!app")
                && !fits("app notin (web,db)")
                && !fits("app in (a,b),app")
        );
    }

    #[test]
    fn nonsense_is_refused() {
        assert!(
            Labels::parse("a b").is_err() && Labels::parse("a in b").is_err() && Labels::parse("=x").is_err()
        );
    }
}
