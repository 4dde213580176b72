//! A parsed shell script, as far as the simulated shell supports it: simple commands, `;`, `&&`, `||`, quotes,
//! redirections.

/// Condition under which a command runs
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Joint {
    Always,
    IfGood,
    IfBad,
}

/// One simple command
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) joint: Joint,
    pub(super) words: Vec<String>,
    /// Whether its standard output is discarded.
    pub(super) mute: bool,
    /// Whether its standard error is discarded.
    pub(super) deaf: bool,
}

/// Splits a script into its commands.
pub(super) fn parse(script: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut joint = Joint::Always;
    let (mut words, mut word) = (Vec::new(), None::<String>);
    let mut chars = script.chars().peekable();
    while let Some(char) = chars.next() {
        let end = match char {
            '\'' | '"' => {
                let text = word.get_or_insert_default();
                text.extend(chars.by_ref().take_while(|next| *next != char));
                continue;
            }
            '\\' => {
                word.get_or_insert_default().extend(chars.next());
                continue;
            }
            ';' | '\n' => Joint::Always,
            '&' if chars.next_if_eq(&'&').is_some() => Joint::IfGood,
            '|' if chars.next_if_eq(&'|').is_some() => Joint::IfBad,
            space if space.is_whitespace() => {
                words.extend(word.take());
                continue;
            }
            other => {
                word.get_or_insert_default().push(other);
                continue;
            }
        };
        words.extend(word.take());
        if !words.is_empty() {
            steps.push(step(joint, std::mem::take(&mut words)));
        }
        joint = end;
    }
    words.extend(word);
    if !words.is_empty() {
        steps.push(step(joint, words));
    }
    steps
}

/// Extracts the redirections from the words.
fn step(joint: Joint, words: Vec<String>) -> Step {
    let mut step = Step { joint, words: Vec::new(), mute: false, deaf: false };
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        let Some((from, to)) = word.split_once('>').filter(|(from, _)| matches!(*from, "" | "1" | "2" | "&"))
        else {
            step.words.push(word);
            continue;
        };
        let target = if to.trim_start_matches('>').is_empty() {
            words.next().unwrap_or_default()
        } else {
            to.to_owned()
        };
        match (from, target.as_str()) {
            // Whatever the later redirections are, it follows standard output.
            ("2", "&1") => step.deaf |= step.mute,
            ("2", _) => step.deaf = true,
            ("&", _) => (step.mute, step.deaf) = (true, true),
            (_, "&2" | "/dev/stderr") => {}
            _ => step.mute = true,
        }
    }
    step
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_are_taken_apart() {
        let steps = parse("command -v ping >/dev/null 2>&1 && echo 'a  b'; exit 3 || true");
        let shape: Vec<(Joint, String, bool, bool)> =
            steps.iter().map(|step| (step.joint, step.words.join("|"), step.mute, step.deaf)).collect();
        assert_eq!(
            shape,
            [
                (Joint::Always, "command|-v|ping".to_owned(), true, true),
                (Joint::IfGood, "echo|a  b".to_owned(), false, false),
                (Joint::Always, "exit|3".to_owned(), false, false),
                (Joint::IfBad, "true".to_owned(), false, false),
            ]
        );
        assert!(parse(" \n ; ").is_empty());
    }
}
