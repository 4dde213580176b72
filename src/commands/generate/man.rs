//! Man pages: one for the program and one for each command.

use clap::Command;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use crate::commands::definition::built;

/// Pages by file name.
pub fn pages() -> Vec<(String, Vec<u8>)> {
    let program = built();
    let below = shown(&program).map(|command| page(command, Some(&program)));
    std::iter::once(page(&program, None)).chain(below).collect()
}

/// Commands that users type.
fn shown(program: &Command) -> impl Iterator<Item = &Command> {
    program.get_subcommands().filter(|command| command.get_name() != "help" && !command.is_hide_set())
}

fn page(command: &Command, program: Option<&Command>) -> (String, Vec<u8>) {
    let name = match program {
        Some(program) => format!("{}-{}", program.get_name(), command.get_name()),
        None => command.get_name().to_owned(),
    };
    // With a dash in the title, and with the typed words everywhere else.
    let typed = command.get_bin_name().unwrap_or(&name).to_owned();
    // Flags omitted from the short help would appear here without description.
    let shown = command.clone().mut_args(|arg| arg.hide_short_help(false));
    let shown = shown.name(name.clone()).display_name(name.clone()).bin_name(typed);
    let man =
        Man::new(shown).title(name.to_uppercase()).section("1").source(source()).manual("kubectl bootstorm");
    let mut text = Vec::new();
    // Writing into memory does not fail.
    let _ = man.render_title(&mut text);
    let _ = man.render_name_section(&mut text);
    let _ = synopsis(command).to_writer(&mut text);
    let _ = examples(command).to_writer(&mut text);
    let _ = man.render_description_section(&mut text);
    if command.get_arguments().next().is_some() {
        let _ = man.render_options_section(&mut text);
    }
    if program.is_none() {
        let _ = man.render_subcommands_section(&mut text);
    }
    let _ = see_also(&name, program.unwrap_or(command)).to_writer(&mut text);
    (format!("{name}.1"), plain(&String::from_utf8_lossy(&text)).into_bytes())
}

/// The page in ASCII: not every system reads man pages as UTF-8.
fn plain(page: &str) -> String {
    let mut text = String::with_capacity(page.len());
    for character in page.chars() {
        if character.is_ascii() {
            text.push(character);
        } else {
            text.push_str(&format!("\\[u{:04X}]", u32::from(character)));
        }
    }
    text
}

fn source() -> String {
    format!("kubectl-bootstorm {}", env!("CARGO_PKG_VERSION"))
}

/// The usage. All flags follow below, each with its description.
fn synopsis(command: &Command) -> Roff {
    let usage = command.clone().render_usage().to_string();
    let mut roff = Roff::default();
    roff.control("SH", ["SYNOPSIS"]);
    for line in usage.trim_start_matches("Usage:").lines() {
        roff.text([roman(line.trim())]);
    }
    roff
}

/// Text below the headings of the long help: examples, and exit codes.
fn examples(command: &Command) -> Roff {
    let mut roff = Roff::default();
    let Some(text) = command.get_after_long_help() else { return roff };
    for part in text.to_string().split("\n\n").fold(Vec::<String>::new(), |mut parts, block| {
        // A heading is at the margin; its content is indented.
        match parts.last_mut() {
            Some(last) if block.starts_with(' ') => last.push_str(&format!("\n\n{block}")),
            _ => parts.push(block.to_owned()),
        }
        parts
    }) {
        let (heading, body) = part.split_once('\n').unwrap_or((&part, ""));
        roff.control("SH", [heading.trim_end_matches(':').to_uppercase().as_str()]);
        roff.control("nf", []);
        for line in body.lines() {
            roff.text([roman(line.strip_prefix("  ").unwrap_or(line))]);
        }
        roff.control("fi", []);
    }
    roff
}

fn see_also(name: &str, program: &Command) -> Roff {
    let below = shown(program).map(|command| format!("{}-{}", program.get_name(), command.get_name()));
    let others: Vec<String> =
        std::iter::once(program.get_name().to_owned()).chain(below).filter(|other| other != name).collect();
    let mut words = Vec::new();
    for (index, other) in others.iter().enumerate() {
        words.push(bold(other.clone()));
        words.push(roman(if index + 1 == others.len() { "(1)" } else { "(1), " }));
    }
    let mut roff = Roff::default();
    roff.control("SH", ["SEE ALSO"]);
    roff.text(words);
    roff
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_a_page_for_each_command() {
        let pages = pages();
        let names: Vec<&str> = pages.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names[0], "kubectl-bootstorm.1");
        for command in shown(&built()) {
            assert!(
                names.contains(&format!("kubectl-bootstorm-{}.1", command.get_name()).as_str()),
                "{names:?}"
            );
        }
    }

    #[test]
    fn every_flag_has_its_meaning() {
        let program = built();
        let pages = pages();
        for command in shown(&program) {
            let name = format!("kubectl-bootstorm-{}.1", command.get_name());
            let (_, page) = pages.iter().find(|(file, _)| *file == name).unwrap();
            let page = String::from_utf8(page.clone()).unwrap().replace("\\*(Aq", "'").replace('\\', "");
            for arg in command.get_arguments().filter(|arg| !arg.is_hide_set()) {
                let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
                let words: Vec<&str> = help.split_whitespace().take(3).collect();
                assert!(page.contains(&words.join(" ")), "{name}: {}: {help}", arg.get_id());
            }
        }
    }

    #[test]
    fn pages_are_ascii() {
        assert!(pages().iter().all(|(_, page)| page.is_ascii()));
        assert_eq!(plain("1, 2, \u{2026}"), "1, 2, \\[u2026]");
    }

    #[test]
    fn a_page_says_how_it_is_typed_and_begins_with_examples() {
        let pages = pages();
        let (_, page) = pages.iter().find(|(name, _)| name == "kubectl-bootstorm-storm.1").unwrap();
        let page = String::from_utf8(page.clone()).unwrap();
        assert!(page.contains(".TH KUBECTL-BOOTSTORM-STORM 1"), "{page}");
        assert!(
            page.contains("kubectl bootstorm storm") || page.contains("kubectl bootstorm\\ storm"),
            "{page}"
        );
        let at = |heading: &str| {
            page.find(&format!(".SH {heading}")).unwrap_or_else(|| panic!("{heading}: {page}"))
        };
        assert!(at("SYNOPSIS") < at("EXAMPLES") && at("EXAMPLES") < at("OPTIONS"));
        assert!(at("OPTIONS") < at("\"SEE ALSO\""));
    }
}
