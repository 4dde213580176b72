//! Options in a request's query.

use http::Uri;

use super::status::Failure;

/// A request's query, by name
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    pub(super) fn parse(uri: &Uri) -> Self {
        Self(form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()).into_owned().collect())
    }

    /// Value of an option; an empty value counts as none.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// All values of a repeatable option.
    pub(super) fn all(&self, name: &str) -> Vec<String> {
        self.0.iter().filter(|(key, _)| key == name).map(|(_, value)| value.clone()).collect()
    }

    /// Whether a switch is on; as in Kubernetes, any text but `false` and `0` switches it on.
    pub(super) fn is_on(&self, name: &str) -> bool {
        let found = self.0.iter().find(|(key, _)| key == name);
        found.is_some_and(|(_, value)| !matches!(value.to_ascii_lowercase().as_str(), "false" | "0"))
    }

    /// A whole number.
    pub(super) fn number<T: std::str::FromStr>(&self, name: &str) -> Result<Option<T>, Failure> {
        let parse = |text: &str| {
            let message = format!("strconv.ParseInt: parsing \"{text}\": invalid syntax");
            text.parse().map_err(|_| Failure::bad_request(message))
        };
        self.get(name).map(parse).transpose()
    }

    /// Whether nothing is to be stored.
    pub(super) fn is_dry_run(&self) -> Result<bool, Failure> {
        match self.get("dryRun") {
            None => Ok(false),
            Some("All") => Ok(true),
            Some(other) => {
                let message = format!("dryRun: Unsupported value: \"{other}\": supported values: \"All\"");
                Err(Failure::new(422, "Invalid", message))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_decoded() {
        let uri: Uri =
            "/x?labelSelector=a%3Db%2Cc&watch=1&limit=5&continue=&allowWatchBookmarks=false".parse().unwrap();
        let query = Query::parse(&uri);
        assert_eq!(query.get("labelSelector"), Some("a=b,c"));
        assert_eq!(query.get("continue"), None);
        assert_eq!(query.number::<u64>("limit"), Ok(Some(5)));
        assert!(query.is_on("watch") && !query.is_on("allowWatchBookmarks") && !query.is_on("force"));
        assert_eq!(query.is_dry_run(), Ok(false));
    }
}
