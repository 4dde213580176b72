//! Lists: their revision, and paging.

use crate::value::{Value, json};

use super::answer::ListMeta;
use super::query::Query;
use super::selector::Selector;
use super::status::Failure;
use crate::store::{Kind, Object, Store};

/// Position of the next page.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Token {
    revision: u64,
    namespace: String,
    name: String,
}

/// Reads a list according to the query.
pub(super) fn read(
    store: &Store,
    kind: &'static Kind,
    namespace: Option<&str>,
    selector: &Selector,
    query: &Query,
) -> Result<(Vec<Object>, ListMeta), Failure> {
    let token = query.get("continue").map(Token::parse).transpose()?;
    let asked = query.number::<u64>("resourceVersion")?;
    let matching = query.get("resourceVersionMatch");
    let limit = query.number::<usize>("limit")?.filter(|limit| *limit > 0);
    // Version 0 is answered from the cache, which does not page.
    let limit = if asked == Some(0) && token.is_none() { None } else { limit };
    // A page of a named version has exactly that version, unless a newer one would do.
    let pins = matching == Some("Exact") || (limit.is_some() && matching.is_none());
    let pinned = asked.filter(|revision| *revision > 0 && pins && token.is_none());
    let past = token.as_ref().map(|token| token.revision).or(pinned);
    let (objects, revision) = match past {
        Some(revision) => (store.list_at(kind, namespace, revision).map_err(Failure::expired)?, revision),
        None => store.list(kind, namespace),
    };
    let after = |object: &Object| {
        token
            .as_ref()
            .is_none_or(|token| (object.namespace(), object.name()) > (&token.namespace, &token.name))
    };
    let mut wanted = objects.into_iter().filter(|object| after(object) && selector.fits(object));
    let mut objects: Vec<Object> =
        wanted.by_ref().take(limit.map_or(usize::MAX, |limit| limit.saturating_add(1))).collect();
    let mut meta = ListMeta { revision, ..ListMeta::default() };
    if let Some(limit) = limit
        && objects.len() > limit
    {
        // With a selector the API server does not know the remaining number.
        meta.remaining = selector.is_empty().then(|| wanted.count() + 1);
        objects.truncate(limit);
        meta.next = objects.last().map(|last| {
            let (namespace, name) = (last.namespace().to_owned(), last.name().to_owned());
            Token { revision, namespace, name }.text()
        });
    }
    Ok((objects, meta))
}

/// Refusal of a version that the server has not reached; sent after waiting for it.
pub(super) fn too_large(asked: u64, current: u64) -> Failure {
    let cause = json!([{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}]);
    Failure::new(504, "Timeout", format!("Too large resource version: {asked}, current: {current}"))
        .retry_after(Some(1))
        .detail("causes", cause)
}

impl Token {
    fn text(&self) -> String {
        let plain = json!({"rv": self.revision, "ns": self.namespace, "name": self.name}).to_string();
        plain.bytes().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
    }

    fn parse(text: &str) -> Result<Self, Failure> {
        let refuse = || Failure::bad_request("continue key is not valid: the continue token is malformed");
        let digits: Vec<u8> = text.bytes().collect();
        let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
        let plain: Option<Vec<u8>> = digits.chunks(2).map(byte).collect();
        let token: Value = serde_json::from_slice(&plain.ok_or_else(refuse)?).map_err(|_| refuse())?;
        let field = |name: &str| token[name].as_str().map(str::to_owned).ok_or_else(refuse);
        Ok(Self {
            revision: token["rv"].as_u64().ok_or_else(refuse)?,
            namespace: field("ns")?,
            name: field("name")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::kind::{CONFIG_MAPS, NAMESPACES};

    fn filled() -> Store {
        let store = Store::new();
        store.create(&NAMESPACES, json!({"metadata": {"name": "a"}})).unwrap();
        for n in 0..8 {
            store
                .create(&CONFIG_MAPS, json!({"metadata": {"namespace": "a", "name": format!("c{n}")}}))
                .unwrap();
        }
        store
    }

    fn page(store: &Store, query: &str) -> Result<(Vec<String>, ListMeta), Failure> {
        let query = Query::parse(&format!("/?{query}").parse().unwrap());
        let (objects, meta) = read(store, &CONFIG_MAPS, Some("a"), &Selector::default(), &query)?;
        Ok((objects.iter().map(|object| object.name().to_owned()).collect(), meta))
    }

    #[test]
    fn pages_show_the_moment_of_the_first() {
        let store = filled();
        let (first, meta) = page(&store, "limit=3").unwrap();
        assert_eq!((first.len(), meta.remaining), (3, Some(5)));
        store.modify(&CONFIG_MAPS, "a", "c7", |object| object["data"] = json!({}));
        store.create(&CONFIG_MAPS, json!({"metadata": {"namespace": "a", "name": "c9"}})).unwrap();
        let (rest, end) = page(&store, &format!("limit=30&continue={}", meta.next.unwrap())).unwrap();
        assert_eq!(rest, ["c3", "c4", "c5", "c6", "c7"]);
        assert_eq!((end.revision, end.next, end.remaining), (meta.revision, None, None));
    }

    #[test]
    fn version_zero_does_not_page() {
        assert_eq!(page(&filled(), "limit=3&resourceVersion=0").unwrap().0.len(), 8);
    }

    #[test]
    fn the_forgotten_past_is_gone() {
        let store = filled();
        let failure = page(&store, "resourceVersion=1&resourceVersionMatch=Exact").unwrap_err();
        assert_eq!(failure.code(), 410);
        let (_, meta) = page(&store, "limit=3").unwrap();
        store.expire();
        store.modify(&CONFIG_MAPS, "a", "c7", |object| object["data"] = json!({}));
        store.expire();
        assert_eq!(page(&store, &format!("continue={}", meta.next.unwrap())).unwrap_err().code(), 410);
        assert_eq!(page(&store, "continue=nonsense").unwrap_err().code(), 400);
    }
}
