//! Builds the program for the nodes of a cluster and embeds it, compressed, into the library.
//!
//! The program is built by another cargo, in a folder of its own, for every Linux architecture whose musl target is
//! installed (`rustup target add x86_64-unknown-linux-musl aarch64-unknown-linux-musl`). These need no C toolchain:
//! rustc brings their C library and a linker. Where the target of a Linux host is missing, a static build with the
//! host's C library takes its place. `BOOTSTORM_PROBERS` lists the architectures that must not be missing.

#[cfg(feature = "embed")]
mod embed {
    use std::io::Write;
    use std::path::{Path, PathBuf};
    use std::process::Command;

    /// Architectures of nodes, as `uname -m` says them.
    const ARCHITECTURES: [&str; 2] = ["x86_64", "aarch64"];

    pub(super) fn programs() {
        for input in ["build.rs", "Cargo.toml", "src/main.rs", "src/program"] {
            println!("cargo::rerun-if-changed={input}");
        }
        println!("cargo::rerun-if-env-changed=BOOTSTORM_PROBERS");
        let required = std::env::var("BOOTSTORM_PROBERS").unwrap_or_default();
        let out = PathBuf::from(var("OUT_DIR"));
        let mut table = String::new();
        for architecture in ARCHITECTURES {
            let is_required = required.split_ascii_whitespace().any(|one| one == architecture);
            match build(architecture, &out) {
                Ok(Some(program)) => {
                    let packed = out.join(format!("{architecture}.gz"));
                    let bytes = std::fs::read(&program).expect("the program that was just built");
                    pack(&bytes, &packed).expect("OUT_DIR can be written");
                    table += &format!(
                        "Program {{ machine: {architecture:?}, size: {}, packed: include_bytes!(concat!(env!(\"OUT_DIR\"), \"/{architecture}.gz\")) }},\n",
                        bytes.len()
                    );
                }
                Ok(None) if !is_required => {}
                Ok(None) => panic!(
                    "no prober for {architecture}: rustup target add {architecture}-unknown-linux-musl"
                ),
                Err(why) if is_required => panic!("no prober for {architecture}: {why}"),
                Err(why) => println!("cargo::warning=no prober for {architecture}: {why}"),
            }
        }
        if table.is_empty() {
            println!(
                "cargo::warning=built without the prober program, so pods are probed with what their image has: \
                 rustup target add x86_64-unknown-linux-musl"
            );
        }
        std::fs::write(out.join("programs.rs"), format!("&[{table}]")).expect("OUT_DIR can be written");
    }

    fn var(name: &str) -> String {
        std::env::var(name).unwrap_or_default()
    }

    /// The built program; nothing where this machine cannot build for the architecture.
    fn build(architecture: &str, out: &Path) -> Result<Option<PathBuf>, String> {
        let musl = format!("{architecture}-unknown-linux-musl");
        let (target, flags) = if is_installed(&musl) {
            (
                musl,
                ["-Clinker=rust-lld", "-Clink-self-contained=yes", "-Ctarget-feature=+crt-static"].as_slice(),
            )
        } else if var("HOST").starts_with(architecture) && var("HOST").contains("-linux-") {
            (var("HOST"), ["-Ctarget-feature=+crt-static"].as_slice())
        } else {
            return Ok(None);
        };
        let folder = out.join("cargo");
        let mut cargo = Command::new(var("CARGO"));
        cargo
            .args(["build", "--locked", "--release", "--no-default-features", "--bin", "bootstorm-prober"])
            .args(["--target", &target, "--manifest-path"])
            .arg(Path::new(&var("CARGO_MANIFEST_DIR")).join("Cargo.toml"))
            .arg("--target-dir")
            .arg(&folder)
            .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}"))
            .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "s")
            .env("CARGO_PROFILE_RELEASE_LTO", "fat")
            .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "1")
            .env("CARGO_PROFILE_RELEASE_PANIC", "abort")
            .env("CARGO_PROFILE_RELEASE_STRIP", "true");
        // What was set for the outer build, such as clippy in place of the compiler, is not meant for this one.
        for outer in
            ["RUSTC_WRAPPER", "RUSTC_WORKSPACE_WRAPPER", "RUSTFLAGS", "CARGO_BUILD_TARGET", "CARGO_MAKEFLAGS"]
        {
            cargo.env_remove(outer);
        }
        let output = cargo.output().map_err(|error| format!("cargo does not run: {error}"))?;
        if !output.status.success() {
            let text = String::from_utf8_lossy(&output.stderr);
            let why = text.lines().find(|line| line.starts_with("error")).unwrap_or("cargo failed");
            return Err(why.to_owned());
        }
        Ok(Some(folder.join(target).join("release/bootstorm-prober")))
    }

    /// Whether the standard library for a target is here.
    fn is_installed(target: &str) -> bool {
        let output =
            Command::new(var("RUSTC")).args(["--print", "target-libdir", "--target", target]).output();
        let Ok(output) = output else { return false };
        let folder = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        std::fs::read_dir(folder).is_ok_and(|mut files| files.next().is_some())
    }

    fn pack(bytes: &[u8], to: &Path) -> std::io::Result<()> {
        let mut packer =
            flate2::write::GzEncoder::new(std::fs::File::create(to)?, flate2::Compression::best());
        packer.write_all(bytes)?;
        packer.finish().map(drop)
    }
}

fn main() {
    #[cfg(feature = "embed")]
    embed::programs();
}
