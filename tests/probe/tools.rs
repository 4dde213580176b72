//! The script with the tools of common images, in a pod's conditions: what works, and what is reported about the rest.

use std::path::{Path, PathBuf};

use bootstorm_model::probe::{Answer, Family, Probe, SCRIPT, SCRIPT_NAME, Tool};

use super::beside_others;
use super::namespace::{Network, guest};
use super::pod::Pod;
use super::prober::Prober;
use super::shell::{find, skipped};

/// Debian packages of conflicting tools, unpacked by `.ci/run`.
const UNPACKED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/target/tools");

/// A ping and an nc, and their capabilities
struct Tools {
    ping: &'static str,
    nc: &'static str,
    pings: [bool; 2],
    connects: [bool; 2],
    /// Messages about missing capabilities, by tool and family.
    said: &'static [(Tool, Family, &'static str)],
}

const KINDS: &[Tools] = &[
    Tools {
        ping: "/usr/bin/ping",
        nc: "/usr/bin/nc.openbsd",
        pings: [true; 2],
        connects: [true; 2],
        said: &[],
    },
    Tools {
        ping: "busybox-static/bin/busybox",
        nc: "busybox-static/bin/busybox",
        pings: [false; 2],
        connects: [true; 2],
        said: &[
            (Tool::Ping, Family::V4, "ping: permission denied (are you root?)"),
            (Tool::Ping, Family::V6, "ping: permission denied (are you root?)"),
        ],
    },
    Tools {
        ping: "inetutils-ping/bin/ping",
        nc: "netcat-traditional/bin/nc.traditional",
        pings: [true, false],
        connects: [true, false],
        said: &[
            (Tool::Ping, Family::V6, "unknown host"),
            (Tool::Tcp, Family::V6, "forward host lookup failed"),
        ],
    },
    Tools {
        ping: "toybox/bin/toybox",
        nc: "toybox/bin/toybox",
        pings: [true; 2],
        connects: [false; 2],
        said: &[(Tool::Tcp, Family::V4, "neither -z nor -e"), (Tool::Tcp, Family::V6, "neither -z nor -e")],
    },
    Tools {
        ping: "/usr/bin/ping",
        nc: "ncat/usr/bin/ncat",
        pings: [true; 2],
        connects: [true; 2],
        said: &[],
    },
];

fn place(tool: &str) -> Option<PathBuf> {
    let path = Path::new(UNPACKED).join(tool);
    path.exists().then_some(path).or_else(|| {
        skipped(&format!("there is no {tool}"));
        None
    })
}

#[test]
fn what_tools_can_do_is_found_out_and_said_by_family() {
    let _beside = beside_others();
    for kind in KINDS {
        let (Some(ping), Some(nc), Some(shell)) = (place(kind.ping), place(kind.nc), find("dash")) else {
            continue;
        };
        let Some(mut network) = Network::new() else { return };
        let Some(pod) = Pod::new(&network) else { return };
        pod.install("sh", &shell);
        pod.install("sleep", &find("sleep").unwrap());
        pod.install("ping", &ping);
        pod.install("nc", &nc);
        let mut command = pod.command(&network, "sh");
        // ncat's libraries, next to it.
        command.env("LD_LIBRARY_PATH", format!("{UNPACKED}/ncat/usr/lib/x86_64-linux-gnu"));
        let mut prober = Prober::spawn(command.args(["-c", SCRIPT, SCRIPT_NAME, "0.2"])).read();
        let (hello, before) = prober.greeting();
        let names = format!("{} with {}: {before:?}", kind.ping, kind.nc);
        println!("{names}");
        assert_eq!((hello.ping, hello.tcp), (kind.pings, kind.connects), "{names}");
        assert_eq!(before.len(), kind.said.len(), "{names}");
        for (tool, family, why) in kind.said {
            let says = |answer: &Answer| {
                matches!(answer, Answer::Lacks(lacking, over, text)
                    if (lacking, over) == (tool, family) && text.contains(why))
            };
            assert!(before.iter().any(says), "{names}");
        }
        // What is reported to work does work.
        let six = "fd77::7".parse().unwrap();
        network.boot(&[guest(4), six]);
        network.listen_all(2222);
        let mut wanted = 0;
        for (id, probe, can, address) in [
            (1, Probe::Ping, hello.ping[0], guest(4)),
            (2, Probe::Ping, hello.ping[1], six),
            (3, Probe::Tcp(2222), hello.tcp[0], guest(4)),
            (4, Probe::Tcp(2222), hello.tcp[1], six),
        ] {
            if can {
                prober.add(id, probe, address);
                wanted += 1;
            }
        }
        prober.reached(wanted);
        prober.close();
        prober.ends();
    }
}

#[test]
fn what_a_tool_says_against_a_target_is_passed_on_and_a_router_is_no_guest() {
    const PING: &str = r#"case "$*" in *127.0.0.1* | *::1*) exec $REAL "$@" ;;
        *10.77.1.1) echo "92 bytes from 10.0.0.9: Destination Host Unreachable"; sleep 9 ;;
        *) echo "ping: something is wrong" ;; esac"#;
    const NC: &str =
        r#"case "$*" in *10.77*) echo "nc: strange thing" >&2; exit 1 ;; *) exec $REAL "$@" ;; esac"#;
    super::anywhere(|network, image| {
        let image = image.with("ping", PING).with("nc", NC);
        let mut prober = Prober::new(network, &image);
        prober.hello();
        prober.add(1, Probe::Ping, guest(1));
        assert_eq!(prober.sync(1), []);
        prober.add(2, Probe::Ping, guest(2));
        assert_eq!(prober.next().1, Answer::Cannot(2, "ping: something is wrong".into()));
        prober.add(3, Probe::Tcp(22), guest(3));
        assert_eq!(prober.next().1, Answer::Cannot(3, "nc: strange thing".into()));
        std::thread::sleep(std::time::Duration::from_millis(500));
        assert_eq!(prober.sync(2), [], "each is said once, and a router's word is no answer");
    });
}
