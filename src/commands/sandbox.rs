//! `sandbox`: a simulated cluster on loopback, until Ctrl-C.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::sandbox_args::SandboxArgs;
use super::session::Context;
use bootstorm_model::exit::Exit;
use bootstorm_model::failure::Failure;

/// Serve a simulated cluster on loopback until Ctrl-C
///
/// Simulates KubeVirt, CDI, the scheduler, kubelets, storage and guests behind a Kubernetes API that works with
/// kubectl. Accessible only from this machine, with the token in the kubeconfig that it writes.
#[derive(Debug, Clone, Args)]
#[command(
    name = "sandbox",
    after_long_help = "\
Examples:
  # A cluster of three nodes; use it from another terminal
  kubectl bootstorm sandbox --nodes 3 --write-kubeconfig sandbox.kubeconfig
  kubectl --kubeconfig sandbox.kubeconfig get nodes

  # Slow storage, simulated twenty times faster than real time
  kubectl bootstorm sandbox --profile slow-storage --speed 20

  # Injected faults, and the ledger of requests
  kubectl bootstorm sandbox --faults examples/faults.yaml --write-kubeconfig sandbox.kubeconfig
  kubectl --kubeconfig sandbox.kubeconfig get --raw /bootstorm/ledger"
)]
pub struct SandboxCommand {
    #[command(flatten)]
    pub sandbox: SandboxArgs,
    /// Port to listen on; 0 selects a free port
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    pub port: u16,
    /// File for the kubeconfig; replaced only if a sandbox wrote it
    #[arg(long, value_name = "FILE", default_value = "sandbox.kubeconfig")]
    pub write_kubeconfig: PathBuf,
    /// Run a program of this machine for containers of images of this name; repeatable
    #[arg(long, value_name = "NAME=PROGRAM", value_parser = image)]
    pub run_image: Vec<(String, PathBuf)>,
    /// Where clients get the token: the kubeconfig, or an exec plugin in it
    #[arg(long, value_name = "HOW", default_value = "token")]
    pub auth: Auth,
}

/// How clients get the token
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Auth {
    /// Token in the kubeconfig
    Token,
    /// Exec plugin in the kubeconfig that reads the current token from a file
    Exec,
}

/// Reads the name of an image and the program to run for it.
fn image(text: &str) -> Result<(String, PathBuf), String> {
    let (name, program) = text.split_once('=').ok_or("NAME=PROGRAM is expected")?;
    if name.is_empty() || name.contains(['/', ':', '@']) {
        return Err(format!("`{name}` is not the last segment of an image, without tag"));
    }
    let program = std::path::absolute(program).map_err(|error| error.to_string())?;
    if !program.is_file() {
        return Err(format!("there is no program {}", program.display()));
    }
    Ok((name.to_owned(), program))
}

/// Runs the command.
pub async fn command(context: &Context, args: &SandboxCommand) -> Result<Exit, Failure> {
    if context.types_kubeconfig {
        return Err(Failure::usage("--kubeconfig selects an existing cluster, and a sandbox needs none")
            .hint("to choose the file of the sandbox's kubeconfig: --write-kubeconfig FILE"));
    }
    let console = context.console();
    let sandbox = args.sandbox.start(args.port).await?;
    for (name, program) in &args.run_image {
        sandbox.run_image(name, program);
    }
    let _duty = context.interrupt.duty();
    let path = &args.write_kubeconfig;
    match args.auth {
        Auth::Token => sandbox.write_kubeconfig(path)?,
        Auth::Exec => sandbox.write_exec_kubeconfig(path)?,
    }
    console.data(&format!("{}\n", path.display()))?;
    console.say(&format!("simulated cluster at {}, kubeconfig in {}", sandbox.url(), path.display()));
    console.say(&format!("use it in another terminal: export KUBECONFIG={}", path.display()));
    console.say("Ctrl-C ends it");
    context.interrupt.clone().wait().await;
    sandbox.stop().await;
    Ok(Exit::Good)
}
