//! `options`: the flags that can be given to every command.

use clap::{Arg, Args, Command};

use super::definition::built;
use super::session::Context;
use bootstorm_model::exit::Exit;
use bootstorm_model::failure::Failure;

/// Layout of the list.
const OPTIONS: &str = "These flags can be given to every command:\n\n{all-args}";

/// List the flags that can be given to every command
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "\
Examples:
  # How to reach another cluster, how results look, and where defaults come from
  kubectl bootstorm options")]
pub struct OptionsArgs {}

/// Runs the command.
pub fn command(context: &Context) -> Result<Exit, Failure> {
    let flags = built().get_arguments().filter(|arg| arg.is_global_set()).cloned().collect::<Vec<Arg>>();
    let mut all = Command::new("options")
        .disable_help_flag(true)
        .max_term_width(super::HELP_WIDTH)
        .styles(crate::console::style::HELP)
        .help_template(OPTIONS)
        .args(flags);
    context.console().data(&format!("{}\n", all.render_long_help().ansi()))?;
    Ok(Exit::Good)
}
