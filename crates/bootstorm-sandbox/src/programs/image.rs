//! Tools of an image, derived from its name.

use std::time::Duration;

/// How long the tools of a `slow-tools` image take to come up after the container runs, in real time.
const SLOW: Duration = Duration::from_secs(4);

/// Implementation of `ping`; their output differs
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flavour {
    /// busybox, as in alpine.
    Busybox,
    /// iputils, as in Debian and Fedora.
    Iputils,
}

/// Available tools
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tools {
    /// Whether there is a shell, and with it any tool.
    pub shell: bool,
    /// Implementation of `ping`, if any.
    pub ping: Option<Flavour>,
    /// Whether there is an `nc`.
    pub nc: bool,
}

/// An image, as described by its name
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Image {
    tools: Tools,
    slow: bool,
}

impl Image {
    /// Reads the name.
    pub fn of(name: &str) -> Self {
        let has = |words: &[&str]| words.iter().any(|word| name.contains(word));
        let shell = !has(&["no-shell", "pause", "distroless", "scratch"]);
        let iputils =
            has(&["debian", "ubuntu", "fedora", "ubi", "centos", "rhel", "netshoot", "suse", "iputils"]);
        let ping = if iputils { Flavour::Iputils } else { Flavour::Busybox };
        let tools = Tools {
            shell,
            ping: (shell && !has(&["no-ping"])).then_some(ping),
            nc: shell && !has(&["no-nc"]),
        };
        Self { tools, slow: has(&["slow-tools"]) }
    }

    /// Tools available when its container has run for this long.
    pub fn tools(&self, age: Duration) -> Tools {
        if self.slow && age < SLOW { Tools { ping: None, nc: false, ..self.tools } } else { self.tools }
    }
}

/// Whether a registry has the image; if not, its error message.
pub fn is_pullable(image: &str) -> Result<(), String> {
    let host = image.split('/').next().unwrap_or_default();
    let host_name = host.split(':').next().unwrap_or_default();
    if image.contains('/') && host_name.ends_with(".invalid") {
        return Err(format!(
            "failed to pull and unpack image \"{image}\": failed to resolve reference \"{image}\": failed to do request: Head \"https://{host}/v2/\": dial tcp: lookup {host_name}: no such host"
        ));
    }
    if image.contains("never-pull") {
        return Err(format!(
            "failed to pull and unpack image \"{image}\": failed to resolve reference \"{image}\": {image}: not found"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_what_is_inside() {
        let later = Duration::from_secs(60);
        let tools = |name: &str| Image::of(name).tools(later);
        let busybox = Tools { shell: true, ping: Some(Flavour::Busybox), nc: true };
        assert_eq!(tools("docker.io/library/busybox:1.37"), busybox);
        assert_eq!(tools("debian:12").ping, Some(Flavour::Iputils));
        assert_eq!(tools("quay.io/x/no-ping:1"), Tools { ping: None, ..busybox });
        assert_eq!(tools("registry.k8s.io/pause:3.10"), Tools { shell: false, ping: None, nc: false });
        let slow = Image::of("x/slow-tools:1");
        assert_eq!(slow.tools(Duration::from_secs(1)).ping, None);
        assert_eq!(slow.tools(later), busybox);
    }

    #[test]
    fn some_images_never_come() {
        assert!(is_pullable("quay.io/x/y:1").is_ok() && is_pullable("busybox").is_ok());
        assert!(is_pullable("registry.invalid:5000/y:1").unwrap_err().contains("no such host"));
        assert!(is_pullable("quay.io/x/never-pull").unwrap_err().ends_with("not found"));
    }
}
