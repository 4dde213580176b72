//! Probe kinds, and the probing part of a plan.

use std::fmt;
use std::str::FromStr;

use arrayvec::ArrayString;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Maximum length of the path of an HTTP probe in bytes.
const LONGEST_PATH: usize = 100;
/// The port of SSH.
const SSH: u16 = 22;

/// Path of an HTTP probe, beginning with `/`, without spaces and control characters.
pub type HttpPath = ArrayString<LONGEST_PATH>;

/// One kind of probe
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Probe {
    /// The guest answers an ICMP echo request from inside the cluster.
    Ping,
    /// The guest accepts a TCP connection on this port, from inside the cluster.
    Tcp(u16),
    /// The guest answers an HTTP request on this port with a status from 200 to 399, as for a kubelet probe.
    Http(u16, HttpPath),
    /// The guest sends the banner of an SSH server on this port; there is no login.
    Ssh(u16),
    /// The guest agent is connected; needs no prober.
    Agent,
    /// cloud-init has finished its final stage, as reported by a readiness probe of the VM through the guest agent;
    /// needs no prober.
    CloudInit,
}

impl Probe {
    /// Whether it needs a prober pod.
    pub fn needs_prober(self) -> bool {
        !matches!(self, Self::Agent | Self::CloudInit)
    }

    /// Whether the guest itself must send content, so that a proxy that only accepts connections is not mistaken for
    /// it.
    pub fn needs_words(self) -> bool {
        matches!(self, Self::Http(..) | Self::Ssh(_))
    }
}

impl fmt::Display for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ping => f.write_str("ping"),
            Self::Tcp(port) => write!(f, "tcp:{port}"),
            Self::Http(port, path) if path == "/" => write!(f, "http:{port}"),
            Self::Http(port, path) => write!(f, "http:{port}{path}"),
            Self::Ssh(SSH) => f.write_str("ssh"),
            Self::Ssh(port) => write!(f, "ssh:{port}"),
            Self::Agent => f.write_str("agent"),
            Self::CloudInit => f.write_str("cloud-init"),
        }
    }
}

impl FromStr for Probe {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let port = |text: &str| match text.parse() {
            Ok(port) if port > 0 => Ok(port),
            _ => Err(format!("`{text}` is not a port")),
        };
        match text.split_once(':') {
            None if text == "ping" => Ok(Self::Ping),
            None if text == "ssh" => Ok(Self::Ssh(SSH)),
            None if text == "agent" => Ok(Self::Agent),
            None if text == "cloud-init" => Ok(Self::CloudInit),
            Some(("tcp", text)) => port(text).map(Self::Tcp),
            Some(("ssh", text)) => port(text).map(Self::Ssh),
            Some(("http", place)) => {
                let (number, path) = place.split_at(place.find('/').unwrap_or(place.len()));
                Ok(Self::Http(port(number)?, http_path(path)?))
            }
            Some(("https", _)) => Err("https is not probed; tcp:PORT shows that its port is open".into()),
            _ => Err(format!(
                "`{text}` is not a probe; there are ping, tcp:PORT, http:PORT[/PATH], ssh[:PORT], agent, cloud-init and none"
            )),
        }
    }
}

fn http_path(text: &str) -> Result<HttpPath, String> {
    if text.is_empty() {
        return http_path("/");
    }
    if let Some(wrong) = text.chars().find(|c| !c.is_ascii_graphic() || *c == '#') {
        return Err(format!(
            "{wrong:?} cannot be part of the path of a request; write it as %{:02X}",
            wrong as u32
        ));
    }
    HttpPath::from(text).map_err(|_| format!("a path has at most {LONGEST_PATH} characters"))
}

impl Serialize for Probe {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Probe {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A taint that prober pods tolerate
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Toleration {
    /// Key of the taint.
    pub key: String,
    /// Its value; absent means any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// Its effect; absent means any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effect: Option<String>,
}

impl FromStr for Toleration {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (taint, effect) = match text.split_once(':') {
            Some((taint, effect)) => (taint, Some(effect)),
            None => (text, None),
        };
        let known = ["NoSchedule", "PreferNoSchedule", "NoExecute"];
        if taint.is_empty() || effect.is_some_and(|effect| !known.contains(&effect)) {
            return Err(format!(
                "write it like KEY, KEY=VALUE or KEY=VALUE:EFFECT; effects are {}",
                known.join(", ")
            ));
        }
        let (key, value) = match taint.split_once('=') {
            Some((key, value)) => (key, Some(value.to_owned())),
            None => (taint, None),
        };
        Ok(Self { key: key.to_owned(), value, effect: effect.map(str::to_owned) })
    }
}

/// How a run finds out whether guests are reachable
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbePlan {
    /// The probes; the first one decides `reachable`. Empty means no probing.
    #[serde(default)]
    pub probes: Vec<Probe>,
    /// Image of the prober pods.
    #[serde(default)]
    pub image: String,
    /// Number of prober pods to create.
    #[serde(default)]
    pub probers: usize,
    /// Taints that the prober pods tolerate, as `KEY`, `KEY=VALUE` or `KEY=VALUE:EFFECT`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tolerations: Vec<Toleration>,
    /// The user's pod to probe from, as namespace and name, instead of the run's own pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod: Option<(String, String)>,
}

impl ProbePlan {
    /// The probe that decides `reachable`.
    pub fn deciding(&self) -> Option<Probe> {
        self.probes.first().copied()
    }

    /// Whether any probe needs a prober pod.
    pub fn needs_prober(&self) -> bool {
        self.probes.iter().any(|probe| probe.needs_prober())
    }
}

/// Seconds between two checks for the end of cloud-init, which is its resolution. Each check is a process in the
/// launcher pod.
const CLOUD_INIT_EVERY: u64 = 2;
/// File that cloud-init writes when its final stage has ended; `/run` is empty after each boot.
const CLOUD_INIT_RESULT: &str = "/run/cloud-init/result.json";

impl ProbePlan {
    /// Adds to the manifest of a VM what its probes need: for cloud-init a readiness probe through the guest agent.
    pub fn apply(&self, vm: &mut Value) {
        if !self.probes.contains(&Probe::CloudInit) {
            return;
        }
        let Some(spec) = vm.pointer_mut("/spec/template/spec").and_then(Value::as_object_mut) else { return };
        spec.entry("readinessProbe").or_insert_with(|| {
            json!({"exec": {"command": ["test", "-e", CLOUD_INIT_RESULT]},
                "periodSeconds": CLOUD_INIT_EVERY, "timeoutSeconds": 5, "failureThreshold": 1})
        });
    }

    /// Whether the readiness of VMs with this spec, that of a `VirtualMachineInstance`, does not depend on cloud-init.
    pub fn is_ready_for_other_reasons(&self, spec: &Value) -> bool {
        self.probes.contains(&Probe::CloudInit)
            && spec.get("readinessProbe").is_some_and(|probe| !probe.to_string().contains("cloud-init"))
    }
}

impl fmt::Display for ProbePlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.probes.is_empty() {
            return f.write_str("none");
        }
        let words: Vec<String> = self.probes.iter().map(ToString::to_string).collect();
        f.write_str(&words.join(","))?;
        match &self.pod {
            Some((namespace, name)) if self.needs_prober() => write!(f, " from pod {namespace}/{name}"),
            None if self.needs_prober() => {
                let pods = if self.probers == 1 { "pod" } else { "pods" };
                write!(f, " from {} {pods} of {}", self.probers, self.image)
            }
            _ => Ok(()),
        }
    }
}

/// Reads a list of probes: `ping,tcp:22,http:80/healthz,ssh,agent,cloud-init`, or `none`.
///
/// Fails with a sentence that names the invalid part.
pub fn parse_probes(text: &str) -> Result<Vec<Probe>, String> {
    if text == "none" {
        return Ok(Vec::new());
    }
    let mut probes = Vec::new();
    for part in text.split(',') {
        let probe = part.trim().parse()?;
        if probes.contains(&probe) {
            return Err(format!("`{probe}` is named twice"));
        }
        probes.push(probe);
    }
    Ok(probes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tolerations() {
        let whole: Toleration = "a/b=c:NoExecute".parse().unwrap();
        let parts = (whole.key.as_str(), whole.value.as_deref(), whole.effect.as_deref());
        assert_eq!(parts, ("a/b", Some("c"), Some("NoExecute")));
        assert_eq!("a".parse::<Toleration>().unwrap().value, None);
        assert!("".parse::<Toleration>().is_err() && "a:Never".parse::<Toleration>().is_err());
    }

    #[test]
    fn cloud_init_takes_a_readiness_probe() {
        let plan = |text| ProbePlan { probes: parse_probes(text).unwrap(), ..ProbePlan::default() };
        let bare = json!({"spec": {"template": {"spec": {"domain": {}}}}});
        let mut vm = bare.clone();
        plan("ping").apply(&mut vm);
        assert_eq!(vm, bare);
        plan("cloud-init,ping").apply(&mut vm);
        let spec = &vm["spec"]["template"]["spec"];
        assert_eq!(spec["readinessProbe"]["exec"]["command"][2], CLOUD_INIT_RESULT);
        assert!(!plan("cloud-init").is_ready_for_other_reasons(spec));
        let own = json!({"readinessProbe": {"tcpSocket": {"port": 22}}});
        assert!(plan("cloud-init").is_ready_for_other_reasons(&own));
        assert!(!plan("ping").is_ready_for_other_reasons(&own));
    }

    #[test]
    fn lists_of_probes() {
        assert_eq!(parse_probes("none"), Ok(vec![]));
        assert_eq!(parse_probes("ping,tcp:22, agent"), Ok(vec![Probe::Ping, Probe::Tcp(22), Probe::Agent]));
        let words =
            ["tcp:22", "http:80", "http:8080/healthz?full=1", "ssh", "ssh:2222", "agent", "cloud-init"];
        for word in words {
            assert_eq!(word.parse::<Probe>().unwrap().to_string(), word);
        }
        assert_eq!("http:80/".parse::<Probe>(), "http:80".parse());
        assert_eq!("ssh:22".parse::<Probe>(), "ssh".parse());
        for (wrong, word) in [
            ("http:/x", "not a port"),
            ("http:80/a b", "%20"),
            ("http:80/a\r\nX: y", "%0D"),
            ("https:443", "tcp:PORT"),
            ("ssh:x", "not a port"),
            (format!("http:80/{}", "a".repeat(100)).as_str(), "at most 100"),
            ("", "``"),
            ("pong", "pong"),
            ("tcp", "tcp:PORT"),
            ("tcp:0", "not a port"),
            ("ping,ping", "twice"),
        ] {
            assert!(parse_probes(wrong).unwrap_err().contains(word), "{wrong}");
        }
    }
}
