//! Sends documents to `OpenSearch` or Elasticsearch by `_bulk` requests.
//!
//! `OpenSearch` 1 to 3 and Elasticsearch 7 to 9 accept the same: lines of JSON, an action before each document, no
//! type. Every document has its own `_id`, so that a repeat replaces it, and a partially executed request does no harm.
//! A 200 answer reports the result of every document, and all results are checked.

use std::time::{Duration, Instant};

use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method};
use serde::Deserialize;
use serde_json::Value;

use crate::cluster::error;
use crate::outside::{Limit, Outside};
use bootstorm_model::observe::clock::{elapsed_since, monotonic_now};

/// Maximum size of one request: servers refuse more than 100 MiB, and recommend 5 to 15.
const MOST_BYTES: usize = 4 << 20;
/// Maximum number of documents in one request.
const MOST_DOCUMENTS: usize = 1_000;
/// Time limit of one request.
const ONE: Duration = Duration::from_secs(30);
/// Total time limit.
const ALL: Duration = Duration::from_secs(120);
/// Maximum number of attempts for a request to a server that is overloaded.
const ATTEMPTS: u32 = 3;
/// Maximum wait that a server can request.
const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// Maximum size of an answer: about a hundred bytes per document.
const MOST_ANSWERED: usize = 16 << 20;
/// Maximum length of a reason.
const MOST_TOLD: usize = 200;

/// A document and its id
#[derive(Debug, Clone, Copy)]
pub struct Entry<'a> {
    /// `_id`, of letters and digits.
    pub id: &'a str,
    /// One line of JSON.
    pub body: &'a str,
}

/// Result of sending documents
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sent {
    /// Stored, new or replacing an earlier one.
    pub indexed: usize,
    /// Refused, or not mentioned in the answer.
    pub refused: usize,
    /// First refusal: document and reason.
    pub why: Option<String>,
}

/// Whether a name is valid for an index (`OpenSearch`: lower case, no characters of a path or a list).
pub fn is_index_name(name: &str) -> bool {
    let is_odd = |c: char| c.is_uppercase() || c.is_whitespace() || "\\/*?\"<>|,#:".contains(c);
    let begins_well = !name.starts_with(['-', '_', '+', '.']);
    (1..=255).contains(&name.len()) && begins_well && !name.contains(is_odd)
}

/// Sends documents to an index, in requests of limited size.
///
/// Fails with a sentence if the server cannot be reached, or refuses a request as a whole; documents sent before are
/// kept.
pub async fn send(server: &Outside, index: &str, entries: &[Entry<'_>]) -> Result<Sent, String> {
    let began = monotonic_now();
    let mut all = Sent::default();
    for chunk in chunks(entries) {
        let one = send_chunk(server, index, chunk, began).await.map_err(|why| match all.indexed {
            0 => why,
            indexed => format!("{why} (after {indexed} documents)"),
        })?;
        all.indexed += one.indexed;
        all.refused += one.refused;
        all.why = all.why.or(one.why);
    }
    Ok(all)
}

/// Splits documents into groups of limited size; a single one may be larger.
fn chunks<'a>(entries: &'a [Entry<'a>]) -> Vec<&'a [Entry<'a>]> {
    let mut chunks = Vec::new();
    let (mut from, mut bytes) = (0, 0);
    for (at, entry) in entries.iter().enumerate() {
        let is_full = bytes + entry.body.len() > MOST_BYTES || at - from >= MOST_DOCUMENTS;
        if at > from && is_full {
            chunks.push(&entries[from..at]);
            (from, bytes) = (at, 0);
        }
        bytes += entry.body.len() + entry.id.len();
    }
    if from < entries.len() {
        chunks.push(&entries[from..]);
    }
    chunks
}

async fn send_chunk(
    server: &Outside,
    index: &str,
    chunk: &[Entry<'_>],
    began: Instant,
) -> Result<Sent, String> {
    let url = server.url().join("_bulk");
    let headers = [(CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"))];
    for attempt in 1.. {
        let left = ALL.saturating_sub(elapsed_since(began));
        if left.is_zero() {
            return Err(format!("it took longer than {}s", ALL.as_secs()));
        }
        let limit = Limit { time: ONE.min(left), bytes: MOST_ANSWERED };
        let answer = server.send(Method::POST, &url, &headers, body(index, chunk), limit).await;
        let answer = answer.map_err(|fault| fault.to_string())?;
        if answer.is_success() {
            return outcome(&answer.body, chunk.len());
        }
        if !matches!(answer.status, 429 | 503) || attempt >= ATTEMPTS {
            return Err(answer.complaint());
        }
        let wait = answer.retry_after().unwrap_or(Duration::from_secs(u64::from(attempt)));
        tokio::time::sleep(wait.min(LONGEST_WAIT).min(left)).await;
    }
    Err("it was not sent".to_owned())
}

/// An action and a document for each entry.
fn body(index: &str, chunk: &[Entry<'_>]) -> Vec<u8> {
    let mut body = String::new();
    for entry in chunk {
        let action = serde_json::json!({ "index": { "_index": index, "_id": entry.id } });
        body.push_str(&format!("{action}\n{}\n", entry.body));
    }
    body.into_bytes()
}

#[derive(Deserialize)]
struct Outcome {
    items: Vec<Value>,
}

/// Result of each document in a request.
fn outcome(body: &[u8], documents: usize) -> Result<Sent, String> {
    let unreadable = || "its answer is not that of a _bulk request".to_owned();
    let Outcome { items } = serde_json::from_slice(body).map_err(|_| unreadable())?;
    let mut sent = Sent::default();
    for item in items.iter().take(documents) {
        let item = item.as_object().and_then(|item| item.values().next());
        let status = item.and_then(|item| item.get("status")).and_then(Value::as_u64).unwrap_or(0);
        if (200..300).contains(&status) {
            sent.indexed += 1;
        } else {
            let word = |name: &str| item?.get("error")?.get(name)?.as_str();
            let why = word("reason").or(word("type")).unwrap_or("no reason");
            let id = item.and_then(|item| item.get("_id")).and_then(Value::as_str).unwrap_or("?");
            sent.refused += 1;
            sent.why.get_or_insert_with(|| {
                let id: String = id.chars().take(12).collect();
                format!("document {id}…: {} ({status})", error::clip(why, MOST_TOLD))
            });
        }
    }
    let silent = documents - items.len().min(documents);
    sent.refused += silent;
    if silent > 0 {
        sent.why.get_or_insert_with(|| format!("its answer leaves out {silent} documents"));
    }
    Ok(sent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_small_and_nothing_is_left_out() {
        let large = "x".repeat(MOST_BYTES - 10);
        let bodies = [large.as_str(), "{}", large.as_str(), "{}", "{}"];
        let entries: Vec<Entry<'_>> = bodies.iter().map(|body| Entry { id: "id", body }).collect();
        let sizes = |entries| chunks(entries).iter().map(|chunk| chunk.len()).collect::<Vec<_>>();
        assert_eq!(sizes(&entries), [2, 3]);
        let many = vec![Entry { id: "id", body: "{}" }; 2 * MOST_DOCUMENTS + 1];
        assert_eq!(sizes(&many), [MOST_DOCUMENTS, MOST_DOCUMENTS, 1]);
        assert_eq!(sizes(&[]), [0; 0]);
    }

    #[test]
    fn an_action_names_index_and_id() {
        let text = String::from_utf8(body("storms", &[Entry { id: "a1", body: "{\"x\":1}" }])).unwrap();
        assert_eq!(text, "{\"index\":{\"_id\":\"a1\",\"_index\":\"storms\"}}\n{\"x\":1}\n");
    }

    #[test]
    fn what_is_refused_in_an_answer_200_is_counted_and_named() {
        let answer = br#"{"took": 3, "errors": true, "items": [
            {"index": {"_id": "a", "status": 201}},
            {"index": {"_id": "b", "status": 400, "error": {"type": "mapper_parsing_exception", "reason": "no date"}}},
            {"index": {"_id": "c", "status": 200}}]}"#;
        let sent = outcome(answer, 4).unwrap();
        assert_eq!((sent.indexed, sent.refused), (2, 2));
        assert_eq!(sent.why.unwrap(), "document b…: no date (400)");
        let silent = outcome(br#"{"items": []}"#, 2).unwrap();
        assert_eq!((silent.refused, silent.why.unwrap()), (2, "its answer leaves out 2 documents".into()));
        assert!(outcome(b"<html>", 1).is_err() && outcome(b"{}", 1).is_err());
    }

    #[test]
    fn names_that_an_index_cannot_have_are_known() {
        for name in ["kube-burner", "a", "storms-2026.01"] {
            assert!(is_index_name(name), "{name}");
        }
        for name in ["", "Storms", "_all", "-a", "a/b", "a b", "a,b", "a*", ".."] {
            assert!(!is_index_name(name), "{name}");
        }
    }
}
