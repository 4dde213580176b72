//! Matching: the requests or objects that a fault applies to.

use std::collections::BTreeMap;

use super::attributes::Attributes;

/// Label matched by `role`.
pub(super) const ROLE: &str = "bootstorm.dev/role";

/// Requests that a rule applies to; an empty pattern matches all, `*` matches any text, `|` means or
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Match {
    /// The verb.
    pub verb: String,
    /// The plural with the subresource.
    pub resource: String,
    /// The namespace.
    pub namespace: String,
    /// Name of the object; for a new object, from its body.
    pub name: String,
    /// Labels of the object, or, for a collection, of the selector; the values are patterns.
    pub labels: BTreeMap<String, String>,
}

impl Match {
    /// Requests of one verb on one resource.
    pub fn on(verb: &str, resource: &str) -> Self {
        Self { verb: verb.to_owned(), resource: resource.to_owned(), ..Self::default() }
    }

    /// Whether a request matches.
    pub(super) fn fits(
        &self,
        request: &Attributes<'_>,
        labels: &dyn Fn() -> BTreeMap<String, String>,
    ) -> bool {
        fits(&self.verb, request.verb)
            && fits(&self.resource, request.resource)
            && self.fits_object(request.namespace, request.name, labels)
    }

    /// Whether an object matches.
    pub(super) fn fits_object(
        &self,
        namespace: &str,
        name: &str,
        labels: &dyn Fn() -> BTreeMap<String, String>,
    ) -> bool {
        fits(&self.namespace, namespace)
            && fits(&self.name, name)
            && (self.labels.is_empty() || self.fits_labels(&labels()))
    }

    fn fits_labels(&self, labels: &BTreeMap<String, String>) -> bool {
        let held =
            |(key, pattern): (&String, &String)| labels.get(key).is_some_and(|value| fits(pattern, value));
        self.labels.iter().all(held)
    }
}

fn fits(pattern: &str, text: &str) -> bool {
    pattern.is_empty() || pattern.split('|').any(|pattern| fits_one(pattern, text))
}

fn fits_one(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((head, "")) => text.starts_with(head),
        Some((head, rest)) => text.strip_prefix(head).is_some_and(|tail| {
            (0..=tail.len()).filter(|at| tail.is_char_boundary(*at)).any(|at| fits_one(rest, &tail[at..]))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_text() {
        assert!(fits("a*c", "abc") && fits("*", "") && fits("", "x") && fits("*-3*", "vm-31"));
        assert!(!fits("a*c", "abd") && !fits("a", "ab") && !fits("a*a", "a"));
    }

    #[test]
    fn a_bar_stands_for_or() {
        assert!(fits("get|list", "list") && fits("a|b*", "bc"));
        assert!(!fits("get|list", "watch") && !fits("get|list", "get|list"));
    }

    #[test]
    fn labels_must_all_be_there() {
        let labels = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
            pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
        };
        let matching = Match { labels: labels(&[("role", "t*"), ("run", "*")]), ..Match::default() };
        assert!(matching.fits_object("", "", &|| labels(&[("role", "target"), ("run", "")])));
        assert!(!matching.fits_object("", "", &|| labels(&[("role", "target")])));
    }
}
