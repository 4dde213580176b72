//! Manifests of users, damaged and made to explode.

use bootstorm_model::plan::{Target, Template, secrets};

use super::mutation::{mutate_text, noise};
use super::{cases, dice, soon};

const GOOD: &str = "
apiVersion: kubevirt.io/v1
kind: VirtualMachine
metadata: {name: golden, labels: &labels {app: mine}, annotations: {note: 'x'}}
spec:
  running: false
  dataVolumeTemplates:
  - metadata: {name: golden-root, labels: *labels}
    spec: {source: {http: {url: 'https://user:pass@example.org/disk?x=y'}}}
  template:
    metadata: null
    spec:
      domain: {devices: {interfaces: [{name: default, ports: [{port: 22}]}]}}
      volumes:
      - {name: root, dataVolume: {name: golden-root}}
      - name: init
        cloudInitNoCloud:
          userData: |
            #cloud-config
            password: secret-1
";

/// Reads a text, and does with it what the program would.
fn use_up(text: &str) {
    let target = Target { namespace: "p-1".into(), name: "vm".into() };
    match Template::parse(text) {
        Ok(template) => {
            let labels = vec![("run".to_owned(), "p".to_owned())];
            let vm = template.render(&target, &labels, "Always");
            assert_eq!(vm["metadata"]["name"], "vm");
            assert_eq!(vm["metadata"]["labels"]["run"], "p");
            assert_eq!(vm["spec"]["template"]["metadata"]["labels"]["run"], "p");
            let hidden = secrets::hide(vm);
            let volumes = hidden["spec"]["template"]["spec"]["volumes"].as_array();
            for volume in volumes.into_iter().flatten() {
                let user_data = &volume["cloudInitNoCloud"]["userData"];
                assert!(!user_data.is_string() || user_data == secrets::HIDDEN, "{hidden}");
            }
            let _ = secrets::redact("unknown field \"password\"", &template.secrets());
            let _ = bootstorm_model::probe::binding::hollow(
                &template.manifest()["spec"]["template"]["spec"],
                &[bootstorm_model::probe::Probe::Ping],
            );
        }
        Err(fault) => {
            let fault = fault.to_string();
            assert!(fault.len() < 3000 && !fault.contains("secret-1") && !fault.contains('\n'), "{fault}");
        }
    }
}

#[test]
fn damaged_manifests_are_refused_or_rendered() {
    let mut dice = dice(3);
    assert!(Template::parse(GOOD).is_ok());
    for case in 0..cases(2_000) {
        let text = match case % 8 {
            0 => String::from_utf8_lossy(&noise(400, &mut dice)).into_owned(),
            _ => mutate_text(GOOD, &mut dice),
        };
        use_up(&text);
    }
}

#[test]
fn bombs_do_not_go_off() {
    let laughs: String = (1..30)
        .map(|n| {
            let before = format!("*a{}", n - 1);
            format!("a{n}: &a{n} [{}]\n", vec![before; 10].join(", "))
        })
        .collect();
    let bombs = [
        format!("a0: &a0 lol\n{laughs}"),
        format!(
            "{GOOD}\nbomb:\n  a0: &a0 {{x: y}}\n{}",
            laughs.lines().map(|l| format!("  {l}\n")).collect::<String>()
        ),
        "[".repeat(900_000),
        "{a: ".repeat(200_000),
        "- ".repeat(400_000),
        (0..2000).map(|n| format!("{}a:\n", " ".repeat(n))).collect(),
        "? ".repeat(400_000),
        "&a ".repeat(300_000),
        "!!seq [".repeat(100_000),
        "a: &a [*a, *a]\n".to_owned(),
        "---\n".repeat(200_000),
        "a: b\n".repeat(150_000),
        format!("a: \"{}\"", "\\x41".repeat(200_000)),
        format!("{}{}", "[".repeat(60), "]".repeat(60)),
        (0..40_000).map(|n| format!("k{n}: &k{n} v\n")).collect(),
        format!("a: &a {}\nb: [{}]", "x".repeat(100_000), vec!["*a"; 100_000].join(",")),
        "x".repeat(2_000_000),
    ];
    for bomb in bombs {
        let name: String = bomb.chars().take(30).collect();
        soon(&name, || use_up(&bomb));
    }
}
