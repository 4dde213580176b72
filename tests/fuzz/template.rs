//! User manifests, damaged and made to explode.

use bootstorm_model::plan::identity::{self, Index};
use bootstorm_model::plan::manifest::Place;
use bootstorm_model::plan::{Extra, Target, Template, references, secrets, small};

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

/// Documents, a List and a Template, with everything that is filled in, dropped, copied or looked up.
const BUNDLE: &str = "
apiVersion: v1
kind: List
items:
- {apiVersion: v1, kind: Secret, metadata: {name: init, namespace: shop}, data: {userdata: c2VjcmV0LTE=}}
- {apiVersion: cdi.kubevirt.io/v1beta1, kind: DataVolume, metadata: {name: web-1}, spec: {source: {pvc: {name: a}}}}
---
apiVersion: template.openshift.io/v1
kind: Template
labels: {a: '${NAME}'}
parameters:
- {name: NAME, value: web}
- {name: CORES, value: 2}
- {name: PASSWORD, generate: expression, from: '[a-z0-9]{4}-[a-z]{4}'}
objects:
- apiVersion: kubevirt.io/v1
  kind: VirtualMachine
  metadata: {name: '${NAME}', namespace: shop, annotations: {harvesterhci.io/volumeClaimTemplates: '[{\"metadata\":{\"name\":\"web-2\"}}]'}}
  spec:
    instancetype: {name: a, kind: VirtualMachineInstancetype}
    template:
      spec:
        hostname: 'web-{i}'
        accessCredentials: [{sshPublicKey: {source: {secret: {secretName: keys}}}}]
        domain:
          cpu: {cores: '${{CORES}}'}
          firmware: {uuid: '63ef9194-4737-428a-81fd-{i}', serial: s}
          chassis: {serial: c}
          devices: {disks: [{name: d, shareable: true}], interfaces: [{name: lan, macAddress: '02:00:00:{i}'}]}
        networks: [{name: lan, multus: {networkName: shop/lan}}]
        volumes:
        - {name: d, persistentVolumeClaim: {claimName: 'disk-{i}'}}
        - {name: e, dataVolume: {name: web-1}}
        - {name: f, persistentVolumeClaim: {claimName: web-2}}
        - {name: h, hostDisk: {path: /x}}
        - {name: init, cloudInitNoCloud: {networkData: 'version: 2', networkDataBase64: dmVyc2lvbjogMg==, secretRef: {name: init}}}
";

/// Parses a text and processes it like the program.
fn use_up(text: &str) {
    let target = Target { namespace: "p-1".into(), name: "vm".into() };
    match Template::parse(text) {
        Ok(template) => {
            let labels = vec![("run".to_owned(), "p".to_owned())];
            let vm = template.render(&target, &labels, "Always");
            assert_eq!(vm["metadata"]["name"], "vm");
            assert_eq!(vm["metadata"]["labels"]["run"], "p");
            assert_eq!(vm["spec"]["template"]["metadata"]["labels"]["run"], "p");
            let place = Place { position: 1, is_shared: true, index: Index { number: 70_000, width: 3 } };
            let _ = template.render_at(place, &target, &labels, "Halted");
            let _ = identity::check(template.manifest(), place.index);
            for common in identity::shared(template.manifest()) {
                assert!(!common.contains("secret-1"), "{common}");
            }
            let _ = references::of(template.manifest());
            let _ = (references::uses(template.manifest()), references::host_disks(template.manifest()));
            for beside in template.companions() {
                let copy = Extra::of(beside).unwrap().copy(beside, "p-1", &labels);
                assert_eq!(copy["metadata"]["labels"]["run"], "p");
                let shown = small::hide_content(copy);
                let is_open = |key: &str| matches!(key, "apiVersion" | "kind" | "metadata");
                let fields = shown.as_object().unwrap();
                assert!(
                    fields.iter().all(|(key, value)| is_open(key) || value == secrets::HIDDEN),
                    "{shown}"
                );
            }
            let again = Template::parse(&template.text());
            assert!(again.is_ok_and(|again| again.companions() == template.companions()));
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
    let bundle = Template::parse(BUNDLE).unwrap();
    assert!(bundle.companions().len() == 1 && bundle.drawn_from().is_some());
    for case in 0..cases(2_000) {
        let text = match case % 8 {
            0 => String::from_utf8_lossy(&noise(400, &mut dice)).into_owned(),
            1..=4 => mutate_text(BUNDLE, &mut dice),
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
