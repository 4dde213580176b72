//! Passwords and keys in a VM manifest, which must not be shown.

use serde_json::{Map, Value};

/// Replacement for a redacted text.
pub const HIDDEN: &str = "(redacted)";

/// A key that contains one of these, in any case, makes everything below it secret.
const SECRET_KEYS: [&str; 14] = [
    "userdata",
    "networkdata",
    "password",
    "passwd",
    "token",
    "privatekey",
    "sshkey",
    "authorizedkey",
    "credential",
    "ignition",
    "extraheaders",
    "kernelargs",
    "last-applied-configuration",
    "stringdata",
];

/// Keys whose whole value is secret, except for references.
const SECRET_SOURCES: [&str; 7] = [
    "cloudInitNoCloud",
    "cloudInitConfigDrive",
    "sysprep",
    "accessCredentials",
    // Of probes, which may log in.
    "httpHeaders",
    "exec",
    "hooks.kubevirt.io/hookSidecars",
];

/// Keys below those that only name another object.
const REFERENCES: [&str; 2] = ["name", "secretName"];

/// Shorter pieces of a secret are not searched for in messages: they would match anything.
pub(super) const SHORTEST_PIECE: usize = 6;
/// Maximum number of pieces that are searched for.
const MOST_PIECES: usize = 2_000;

/// The manifest with every secret replaced, at any depth
///
/// Names of Secrets and `ConfigMaps` stay, since they are not secret; credentials in URLs are removed.
pub fn hide(mut manifest: Value) -> Value {
    walk(&mut manifest, false, &mut |text| HIDDEN.clone_into(text));
    manifest
}

/// A URL without its password and its query.
pub fn hide_url(url: &str) -> String {
    let mut url = url.to_owned();
    strip_url(&mut url, &mut |text| HIDDEN.clone_into(text));
    url
}

/// The secrets of a manifest, whole and in the pieces that a server may quote, longest first.
///
/// Plain words are not pieces, unless they are the value of a secret key: this program parses messages too.
pub fn pieces(manifest: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let mut copy = manifest.clone();
    walk(&mut copy, false, &mut |text| {
        for line in text.lines().map(str::trim) {
            let (key, value) = line.split_once(':').unwrap_or_default();
            if is_secret_key(key) || key.ends_with("secret") {
                found.push(value.trim_matches(is_between).to_owned());
            }
            let whole = Some(line).filter(|line| line.contains(' '));
            let words = line.split(is_between).filter(|word| !is_plain(word));
            found.extend(words.chain(whole).map(str::to_owned));
        }
        found.push(std::mem::take(text));
    });
    found.retain(|piece| piece.len() >= SHORTEST_PIECE);
    found.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
    found.dedup();
    found.truncate(MOST_PIECES);
    found
}

fn is_between(c: char) -> bool {
    c.is_whitespace() || matches!(c, '"' | '\'' | ',' | '\\' | '[' | ']' | '{' | '}')
}

/// Whether a word may appear in any message.
fn is_plain(word: &str) -> bool {
    word.chars().all(|c| c.is_alphabetic() || matches!(c, '-' | ':' | '_' | '.' | '#' | '/'))
}

fn is_secret_key(key: &str) -> bool {
    let plain = key.to_lowercase().replace(['_', ' '], "");
    SECRET_KEYS.iter().any(|word| plain.contains(word))
}

/// Removes the given secrets from a message.
pub fn redact(message: &str, pieces: &[String]) -> String {
    pieces.iter().fold(message.to_owned(), |message, piece| {
        if message.contains(piece.as_str()) { message.replace(piece.as_str(), HIDDEN) } else { message }
    })
}

/// Calls `visit` on every secret text.
fn walk(value: &mut Value, secret: bool, visit: &mut impl FnMut(&mut String)) {
    match value {
        Value::String(text) if secret => visit(text),
        Value::String(text) => strip_url(text, visit),
        Value::Array(items) => items.iter_mut().for_each(|item| walk(item, secret, visit)),
        Value::Object(map) => walk_map(map, secret, visit),
        _ => {}
    }
}

fn walk_map(map: &mut Map<String, Value>, secret: bool, visit: &mut impl FnMut(&mut String)) {
    for (key, value) in map {
        let plain = key.to_lowercase().replace(['_', ' '], "");
        let is_reference = REFERENCES.contains(&key.as_str());
        // A reference is a map with a name, such as `userDataSecretRef`.
        let names_another = plain.ends_with("ref") || plain == "secret" || plain == "configmap";
        let below = !is_reference
            && !names_another
            && (secret || is_secret_key(key) || SECRET_SOURCES.contains(&key.as_str()));
        walk(value, below, visit);
    }
}

/// Strips a URL of everything before its host and after its path: passwords and signatures.
fn strip_url(text: &mut String, visit: &mut impl FnMut(&mut String)) {
    let Some((scheme, rest)) = text.split_once("://") else { return };
    let (rest, query) = rest.split_once('?').map_or((rest, None), |(rest, query)| (rest, Some(query)));
    let host_ends = rest.find('/').unwrap_or(rest.len());
    let (user, place) = match rest[..host_ends].rfind('@') {
        Some(at) => (Some(&rest[..at]), &rest[at + 1..]),
        None => (None, rest),
    };
    if user.is_none() && query.is_none() {
        return;
    }
    let mut shown = |part: &str| {
        let mut part = part.to_owned();
        visit(&mut part);
        part
    };
    let user = user.map(|user| shown(user) + "@").unwrap_or_default();
    let query = query.map(|query| format!("?{}", shown(query))).unwrap_or_default();
    *text = format!("{scheme}://{user}{place}{query}");
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn manifest() -> Value {
        json!({
            "metadata": {"annotations": {
                "kubectl.kubernetes.io/last-applied-configuration": "{\"password\":\"MARKER-0\"}",
                "kubevirt.io/ignitiondata": "MARKER-1",
                "note": "kept"}},
            "spec": {"volumes": [
                {"name": "kept-1", "cloudInitNoCloud": {"userData": "#cloud-config\npassword: MARKER-2\n"}},
                {"name": "kept-2", "cloudInitConfigDrive": {"userDataBase64": "TUFSS0VSLTM=MARKER-3", "secretRef": {"name": "kept-3"}}},
                {"name": "kept-4", "sysprep": {"secret": {"name": "kept-5"}, "answer": "MARKER-4"}},
                {"name": "kept-6", "cloudInitNoCloud": {"networkDataSecretRef": {"name": "kept-7"}}}],
              "accessCredentials": [{"userPassword": {"source": {"secret": {"secretName": "kept-8"}}, "inline": "MARKER-5"}}],
              "source": {"http": {"url": "https://user:MARKER-6@kept-9.example/disk?signature=MARKER-7", "extraHeaders": ["Authorization: MARKER-8"]}},
              "domain": {"devices": {"disks": [{"name": "kept-10"}]}}}
        })
    }

    #[test]
    fn secrets_are_hidden_at_any_depth_and_the_rest_stays() {
        let shown = hide(manifest()).to_string();
        assert!(!shown.contains("MARKER"), "{shown}");
        for number in 1..=10 {
            assert!(shown.contains(&format!("kept-{number}")), "kept-{number}: {shown}");
        }
        assert!(shown.contains(HIDDEN) && shown.contains("\"note\":\"kept\""));
        assert!(shown.contains("https://(redacted)@kept-9.example/disk?(redacted)"), "{shown}");
    }

    #[test]
    fn a_message_that_quotes_a_secret_loses_it() {
        let pieces = pieces(&manifest());
        for message in [
            "Invalid value: \"#cloud-config\\npassword: MARKER-2\\n\": too odd",
            "unknown field MARKER-2",
            "header Authorization: MARKER-8 is wrong",
            "cannot fetch https://user:MARKER-6@kept-9.example/disk?signature=MARKER-7",
        ] {
            let told = redact(message, &pieces);
            assert!(!told.contains("MARKER") && told.contains(HIDDEN), "{told}");
        }
        assert_eq!(redact("0/3 nodes are available", &pieces), "0/3 nodes are available");
    }

    #[test]
    fn words_of_messages_that_mean_something_to_us_stay() {
        let user_data = "#cloud-config\nruncmd:\n- failed calling webhook\n- etcdserver request\npassword: correcthorse\n";
        let pieces = pieces(&json!({ "userData": user_data }));
        let message = "etcdserver: request timed out";
        assert_eq!(redact(message, &pieces), message);
        assert_eq!(redact("no correcthorse here", &pieces), "no (redacted) here");
    }

    #[test]
    fn texts_that_are_no_urls_are_left_alone() {
        for text in ["://", "a://?", "x://@", "docker.io/library/busybox:1", "a?b@c"] {
            let _ = hide(json!({ "a": text }));
        }
        assert_eq!(hide(json!({"a": "http://h/p"})), json!({"a": "http://h/p"}));
    }
}
