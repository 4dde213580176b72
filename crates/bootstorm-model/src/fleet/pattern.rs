//! Shell-style patterns for names of contexts.

/// Whether a name matches a pattern: `*` matches any characters, `?` one, `[a-c]` and `[!a-c]` one of a set.
///
/// An unclosed bracket matches itself, as in a shell.
pub fn fits(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    let (mut at, mut from) = (0, 0);
    // Position of the last star, and the end of the characters that it has matched.
    let mut star: Option<(usize, usize)> = None;
    while from < name.len() {
        if pattern.get(at) == Some(&'*') {
            star = Some((at, from));
            at += 1;
        } else if let Some(length) = one(&pattern[at.min(pattern.len())..], name[from]) {
            (at, from) = (at + length, from + 1);
        } else if let Some((place, through)) = star {
            star = Some((place, through + 1));
            (at, from) = (place + 1, through + 1);
        } else {
            return false;
        }
    }
    pattern[at..].iter().all(|left| *left == '*')
}

/// Number of pattern characters that match one character; `None` if they do not match it.
fn one(pattern: &[char], character: char) -> Option<usize> {
    match pattern.first()? {
        '?' => Some(1),
        '[' => match set(pattern) {
            Some((length, members, negated)) => (members(character) != negated).then_some(length),
            None => (character == '[').then_some(1),
        },
        plain => (*plain == character).then_some(1),
    }
}

/// A bracket expression: its length, its content, and whether it is negated.
fn set(pattern: &[char]) -> Option<(usize, impl Fn(char) -> bool, bool)> {
    let negated = matches!(pattern.get(1), Some('!' | '^'));
    let begin = if negated { 2 } else { 1 };
    // A leading bracket is a member of the set.
    let end = begin + 1 + pattern.get(begin + 1..)?.iter().position(|character| *character == ']')?;
    let inner = pattern[begin..end].to_vec();
    let members = move |character: char| {
        let mut at = 0;
        while at < inner.len() {
            match inner.get(at + 1..at + 3) {
                Some(['-', last]) => {
                    if (inner[at]..=*last).contains(&character) {
                        return true;
                    }
                    at += 3;
                }
                _ if inner[at] == character => return true,
                _ => at += 1,
            }
        }
        false
    };
    Some((end + 1, members, negated))
}

/// The names that match any of the patterns, each once, in the order of the names. A literal name matches itself,
/// whatever characters it contains.
///
/// Fails with the first pattern that matches nothing.
pub fn select<'a>(patterns: &[String], names: &'a [String]) -> Result<Vec<&'a str>, String> {
    let matches = |pattern: &String, name: &String| pattern == name || fits(pattern, name);
    if let Some(idle) = patterns.iter().find(|pattern| !names.iter().any(|name| matches(pattern, name))) {
        return Err(idle.clone());
    }
    let chosen = names.iter().filter(|name| patterns.iter().any(|pattern| matches(pattern, name)));
    Ok(chosen.map(String::as_str).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_as_in_a_shell() {
        let cases = [
            ("site-*", "site-a", true),
            ("site-*", "site-", true),
            ("site-*", "a-site-b", false),
            ("*-b", "site-a-b", true),
            ("*a*b*", "xxaxxbxx", true),
            ("*a*b*", "xxbxxaxx", false),
            ("site-?", "site-é", true),
            ("site-?", "site-ab", false),
            ("site-[a-c]", "site-b", true),
            ("site-[a-c]", "site-d", false),
            ("site-[!a-c]", "site-d", true),
            ("site-[^a]", "site-a", false),
            ("[]x]", "]", true),
            ("[x", "[x", true),
            ("[x-]", "-", true),
            ("", "", true),
            ("*", "", true),
            ("**", "anything", true),
            ("a", "", false),
        ];
        for (pattern, name, expected) in cases {
            assert_eq!(fits(pattern, name), expected, "{pattern} {name}");
        }
        // No pattern takes long to match.
        assert!(!fits(&"*a".repeat(200), &"a".repeat(150)));
    }

    #[test]
    fn every_pattern_has_to_fit_something_and_a_name_is_chosen_once() {
        let names = ["site-b", "site-a", "lab", "odd[1]"].map(str::to_owned);
        let chosen = |patterns: &[&str]| {
            select(&patterns.iter().map(|&pattern| pattern.to_owned()).collect::<Vec<_>>(), &names)
                .map(|chosen| chosen.into_iter().map(str::to_owned).collect::<Vec<_>>())
        };
        assert_eq!(chosen(&["site-*", "site-a"]), Ok(vec!["site-b".to_owned(), "site-a".to_owned()]));
        assert_eq!(chosen(&["odd[1]"]), Ok(vec!["odd[1]".to_owned()]));
        assert_eq!(chosen(&["lab", "prod-*"]), Err("prod-*".to_owned()));
    }
}
