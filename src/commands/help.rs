//! Layout of the help: heading of each flag, flags in the short help, and global flags.
//!
//! One table for all commands: a heading set by a group of flags would also apply to what follows the group.

use clap::{Arg, Command};

use super::examples;

/// Examples before flags, and a reference to the global flags.
const TEMPLATE: &str = "{about}{after-help}\n\n{usage-heading} {usage}\n\n{all-args}\n\n\
    Use \"kubectl bootstorm options\" for the flags of all commands, such as --kubeconfig.";

/// Flags of each heading; all others are under "Options".
const SECTIONS: &[(&str, &[&str])] = &[
    (
        "VMs",
        &[
            "vm_name",
            "filename",
            "set",
            "param",
            "cpu",
            "memory",
            "instancetype",
            "preference",
            "ssh_key",
            "user_data",
            "network",
            "termination_grace_period",
        ],
    ),
    ("Disks", &["source", "container_disk", "storage_class", "disk_size", "access_mode", "volume_mode"]),
    (
        "Namespaces",
        &[
            "vms_per_namespace",
            "vm_namespace",
            "index_width",
            "namespace_batch_size",
            "copy_from",
            "namespace_label",
            "namespace_annotation",
        ],
    ),
    ("Nodes", &["single_node", "node_name", "node_selector"]),
    ("Existing VMs", &["adopt", "selector", "adopt_namespace", "adopt_file", "include_halted", "vm_file"]),
    ("Fleet", &["contexts", "fleet_file", "fleet_record", "if_member_fails", "member_timeout"]),
    (
        "Probes",
        &["probe", "probe_image", "probers", "probe_toleration", "probe_pod", "probe_from", "ping_timeout"],
    ),
    ("Observation", &["for", "until", "settle", "save"]),
    ("Shape", &["kind", "share", "wave", "ramp", "rate", "order"]),
    ("Repetitions", &["repeat", "rest", "warm_up", "fresh", "no_storm"]),
    ("Capacity", &["find_max", "goal", "max", "min", "budget", "max_storms"]),
    ("Limits", &["timeout", "phase_timeout", "run_timeout", "abort_if_failed", "blind_limit", "concurrency"]),
    ("Results", &["save_results", "results_folder", "storage_driver", "output_file", "fail_if"]),
    ("Other services", &["push", "otlp", "listen", "index", "index_name", "prometheus"]),
    ("Hooks", &["before", "after", "hook_timeout", "hook_failure"]),
    (
        "Sandbox",
        &["nodes", "profile", "seed", "speed", "truth", "faults", "port", "write_kubeconfig", "auth"],
    ),
    ("Connection", CONNECTION),
    ("Output", &["output", "no_headers", "color", "quiet", "verbose", "log_file", "log_level"]),
    ("Configuration", &["config", "show_config"]),
];

/// Flags that select and reach a cluster.
const CONNECTION: &[&str] = &[
    "kubeconfig",
    "context",
    "cluster",
    "user",
    "namespace",
    "server",
    "certificate_authority",
    "tls_server_name",
    "insecure_skip_tls_verify",
    "impersonate",
    "impersonate_group",
    "request_timeout",
    "retry_timeout",
];

/// Flags omitted from the short help, everywhere or for one command, because they are rarely needed.
const RARE: &[&str] = &[
    "abort_if_failed",
    "access_mode",
    "adopt_file",
    "after",
    "all_namespaces",
    "baseline",
    "before",
    "blind_limit",
    "budget",
    "cluster_info",
    "concurrency",
    "container_disk",
    "copy_from",
    "cpu",
    "disk_size",
    "explain",
    "fleet.delete_foreign",
    "fleet.keep_record",
    "fleet.kind",
    "fleet.probe",
    "fleet.skip_preflight",
    "fleet.source",
    "fleet.start",
    "fleet.storage_class",
    "fleet.wave",
    "fleet_record",
    "fresh",
    "hook_failure",
    "hook_timeout",
    "include_halted",
    "index",
    "index_name",
    "index_width",
    "instancetype",
    "listen",
    "manual_results",
    "max",
    "max_storms",
    "memory",
    "min",
    "namespace_annotation",
    "namespace_batch_size",
    "namespace_label",
    "network",
    "no_storm",
    "node_name",
    "node_selector",
    "order",
    "otlp",
    "param",
    "output_file",
    "phase_timeout",
    "ping_timeout",
    "port",
    "preference",
    "probe_image",
    "probe_pod",
    "probe_toleration",
    "probers",
    "prometheus",
    "push",
    "ramp",
    "rate",
    "rest",
    "results_folder",
    "run.faults",
    "run.wave",
    "run_timeout",
    "seed",
    "set",
    "skip_preflight",
    "ssh_key",
    "storage_driver",
    "termination_grace_period",
    "truth",
    "user_data",
    "via",
    "vm_name",
    "vm_namespace",
    "vms_per_namespace",
    "volume_mode",
    "warm_up",
];

/// Global flags that each command's help also shows.
const SHOWN: &[&str] = &["context", "namespace", "output", "quiet"];

/// Minimum width: narrower terminals wrap lines themselves, which is harmless for pasting; words of examples may be
/// this wide.
const NARROWEST: usize = 60;

/// Display order after the command's own flags.
const LAST: usize = 900;

/// Commands that contact no cluster.
const OFFLINE: &[&str] = &["completion", "dashboard", "options", "sandbox"];

/// Puts every flag under its heading, and hides rarely needed ones from the short help.
pub(super) fn arranged(command: Command) -> Command {
    let mut command = command.help_template(TEMPLATE).mut_args(|arg| placed(arg, ""));
    for name in names(&command) {
        let place = |arg| placed(arg, &name);
        command = command.mut_subcommand(&name, |below| below.help_template(TEMPLATE).mut_args(place));
    }
    command
}

/// The command with those global flags that its help shows: only the few that are often needed. The short help has no
/// headings, so that it fits on one screen.
pub(super) fn shown(command: Command, short: bool) -> Command {
    // As in clap: the width of the terminal, else the variable.
    let terminal = terminal_size::terminal_size().map(|(width, _)| usize::from(width.0));
    let told = || std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    let width = terminal.or_else(told).unwrap_or(super::HELP_WIDTH).clamp(NARROWEST, super::HELP_WIDTH);
    shown_in(command, short, width)
}

/// The command as in [`shown`], for this many columns.
pub(super) fn shown_in(mut command: Command, short: bool, width: usize) -> Command {
    command.build();
    let mut command = folded(command.term_width(width), width);
    let hide = |arg: Arg, offline: bool| {
        let id = arg.get_id().as_str();
        let is_hidden = arg.is_global_set() && (!SHOWN.contains(&id) || offline && CONNECTION.contains(&id));
        let arg = if is_hidden { arg.hide(true) } else { arg };
        match () {
            () if !short => arg,
            () if arg.is_global_set() => arg.help_heading(None).display_order(LAST),
            () => arg.help_heading(None),
        }
    };
    for name in names(&command) {
        let offline = OFFLINE.contains(&name.as_str());
        let folded = |below| folded(below, width).term_width(width).mut_args(|arg| hide(arg, offline));
        command = command.mut_subcommand(name, folded);
    }
    command.mut_args(|arg| hide(arg, false))
}

/// The command with its examples wrapped to this many columns.
fn folded(command: Command, width: usize) -> Command {
    let examples = command.get_after_long_help().map(|text| examples::folded(&text.to_string(), width));
    match examples {
        Some(examples) => command.after_long_help(examples),
        None => command,
    }
}

fn placed(arg: Arg, command: &str) -> Arg {
    let id = arg.get_id().as_str();
    let section = SECTIONS.iter().find(|(_, ids)| ids.contains(&id)).map(|(heading, _)| *heading);
    let of_command = format!("{command}.{id}");
    let is_rare = RARE.iter().any(|rare| *rare == id || *rare == of_command)
        || arg.is_global_set() && !SHOWN.contains(&id);
    let arg = if is_rare { arg.hide_short_help(true) } else { arg };
    match section {
        Some(heading) => arg.help_heading(heading),
        None => arg,
    }
}

fn names(command: &Command) -> Vec<String> {
    command.get_subcommands().map(|command| command.get_name().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::definition::built;
    use super::*;

    #[test]
    fn the_table_names_flags_that_exist_and_each_of_them_once() {
        let program = built();
        let flags: BTreeSet<String> = program
            .get_subcommands()
            .chain([&program])
            .flat_map(|command| command.get_arguments().map(|arg| arg.get_id().to_string()))
            .collect();
        let listed: Vec<&str> = SECTIONS.iter().flat_map(|(_, ids)| ids.iter().copied()).collect();
        let once: BTreeSet<&str> = listed.iter().copied().collect();
        assert_eq!(once.len(), listed.len(), "a flag has two headings");
        for id in listed.iter().chain(RARE).chain(SHOWN) {
            let id = id.rsplit('.').next().unwrap_or_default();
            assert!(flags.contains(id), "there is no flag {id}");
        }
    }

    #[test]
    fn no_flag_stands_under_a_heading_that_is_not_its_own() {
        for command in built().get_subcommands() {
            for arg in command.get_arguments() {
                let id = arg.get_id().as_str();
                let own = SECTIONS.iter().find(|(_, ids)| ids.contains(&id)).map(|(heading, _)| *heading);
                assert_eq!(arg.get_help_heading(), own, "{} {id}", command.get_name());
            }
        }
    }
}
