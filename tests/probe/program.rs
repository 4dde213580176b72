//! The prober program in a pod's conditions, handed over as the engine does.

use std::net::IpAddr;
use std::thread;
use std::time::Duration;

use bootstorm_model::observe::clock;
use bootstorm_model::probe::{Answer, Ask, By, HAND_OVER, Probe, SCRIPT, SCRIPT_NAME};
use bootstorm_prober::Program;

use super::namespace::{Network, guest};
use super::pod::Pod;
use super::prober::{Prober, until};
use super::shell::find;
use super::starved::{self, within};
use super::{alone, beside_others};

/// One interval, and as much again for a busy machine.
const IN_TIME: Duration = Duration::from_millis(100);

/// Runs a measuring test with the program in a pod, with each shell.
#[track_caller]
fn in_pods(test: impl Fn(&mut Network, &Pod, &str)) {
    let _alone = alone();
    in_each(test);
}

/// Runs a non-measuring test in such pods.
#[track_caller]
fn in_any_pods(test: impl Fn(&mut Network, &Pod, &str)) {
    let _beside = beside_others();
    in_each(test);
}

#[track_caller]
fn in_each(test: impl Fn(&mut Network, &Pod, &str)) {
    for shell in ["dash", "busybox"] {
        let Some(mut network) = Network::new() else { return };
        let Some(pod) = Pod::with_shell(&network, shell) else { continue };
        println!("with {shell}");
        test(&mut network, &pod, shell);
    }
}

/// Starts the engine's command in a pod.
fn start(network: &Network, pod: &Pod) -> Prober {
    let mut command = pod.command(network, "sh");
    let script = format!("{HAND_OVER}{SCRIPT}");
    command.args(["-c", &script, SCRIPT_NAME, "0.2", "0.05"]).arg(pod.volume()).arg("tag");
    Prober::spawn(&mut command).read()
}

/// Hands over the program.
fn hand_over(prober: &mut Prober) {
    let Answer::Wanted(machine) = prober.next().1 else { panic!("it asks for no program") };
    let Some(program) = Program::of(&machine) else { panic!("no program for {machine} was built") };
    prober.write(&format!("{}\n", program.size));
    prober.write_bytes(&program.bytes());
}

pub(super) fn start_in(network: &Network, pod: &Pod) -> Prober {
    let mut prober = start(network, pod);
    hand_over(&mut prober);
    let (hello, before) = prober.greeting();
    assert_eq!((hello.by, hello.ping, hello.tcp), (By::Program, [true; 2], [true; 2]), "{before:?}");
    prober
}

#[test]
fn it_sees_guests_of_both_families_within_an_interval() {
    in_pods(|network, pod, _| {
        let mut prober = start_in(network, pod);
        let six: IpAddr = "fd77::7".parse().unwrap();
        prober.add(4, Probe::Ping, guest(4));
        prober.add(6, Probe::Ping, six);
        prober.add(7, Probe::Tcp(2222), guest(7));
        prober.add(8, Probe::Tcp(2222), "fd77::8".parse().unwrap());
        assert_eq!(prober.sync(1), []);
        for (id, address) in [(4, guest(4)), (6, six)] {
            let begin = network.boot(&[address]);
            within(&address.to_string(), begin, prober.reached(1)[&id], IN_TIME);
        }
        // Guests that refuse, which is no answer.
        network.boot(&[guest(7), "fd77::8".parse().unwrap()]);
        thread::sleep(Duration::from_millis(300));
        assert_eq!(prober.sync(2), []);
        if find("nc").is_none() {
            return;
        }
        for (family, id) in [("-4", 7), ("-6", 8)] {
            let begin = network.listen(&["nc", family, "-lk", "2222"]);
            within(&format!("port over {family}"), begin, prober.reached(1)[&id], 2 * IN_TIME);
        }
        assert_eq!(prober.sync(3), []);
    });
}

#[test]
fn of_a_guest_that_is_kept_it_tells_when_it_was_away_and_what_was_lost() {
    in_pods(|network, pod, _| {
        let mut prober = start_in(network, pod);
        network.boot(&[guest(1)]);
        network.listen_all(2222);
        let probes = [Probe::Ping, Probe::Tcp(2222)];
        (1..).zip(probes).for_each(|(id, probe)| prober.keep(id, probe, guest(1)));
        assert_eq!(prober.reached(2).len(), 2);
        thread::sleep(Duration::from_millis(500));
        assert_eq!(prober.sync(1), [], "as long as it answers there is nothing to tell");
        let down = network.silence(guest(1));
        for _ in probes {
            let (at, Answer::Quiet(_, millis)) = prober.next() else { panic!() };
            within("the last answer", at.checked_sub(Duration::from_millis(millis)).unwrap(), down, IN_TIME);
        }
        thread::sleep(Duration::from_millis(500));
        let up = network.boot(&[guest(1)]);
        for _ in probes {
            let (at, Answer::Back { gap, lost, .. }) = prober.next() else { panic!() };
            within("the first answer", up, at, IN_TIME);
            assert!(
                at.checked_sub(Duration::from_millis(gap)).unwrap() <= down + Duration::from_millis(2)
                    && lost >= 5,
                "{gap} ms, {lost}"
            );
        }
        assert_eq!(prober.sync(2), []);
        prober.ask(&Ask::Drop(1));
        assert!(matches!(prober.sync(3)[..], [Answer::Quiet(1, _)]), "when it last answered");
    });
}

#[test]
fn in_a_pod_of_one_family_it_claims_no_other() {
    in_any_pods(|network, pod, shell| {
        let gone = if shell == "dash" { "-4" } else { "-6" };
        network.without(gone);
        let mut prober = start(network, pod);
        hand_over(&mut prober);
        let (hello, before) = prober.greeting();
        let able = [gone != "-4", gone != "-6"];
        assert_eq!(
            (hello.by, hello.ping, hello.tcp),
            (By::Program, able, able),
            "without {gone}: {before:?}"
        );
    });
}

#[test]
fn it_is_one_process_that_ends_with_its_input_or_its_reader() {
    in_any_pods(|network, pod, _| {
        let mut prober = start_in(network, pod);
        (0..50).for_each(|id| prober.add(id, Probe::Ping, guest(id)));
        (50..100).for_each(|id| prober.add(id, Probe::Tcp(22), guest(id)));
        prober.sync(1);
        assert_eq!(prober.alive().len(), 1);
        prober.close();
        prober.ends();
        let mut prober = start(network, pod);
        assert_eq!(prober.hello().by, By::Program, "it is there already");
        prober.terminate();
        prober.ends();
    });
}

#[test]
fn targets_are_forgotten_moved_and_named_when_they_cannot_be_probed() {
    in_pods(|network, pod, _| {
        let mut prober = start_in(network, pod);
        prober.add(1, Probe::Ping, guest(1));
        prober.ask(&Ask::Drop(1));
        prober.add(2, Probe::Ping, guest(2));
        prober.add(2, Probe::Ping, guest(3));
        prober.write("\nz 1\na\nd $(z)\na 9 udp 10.77.0.1 53\n");
        assert_eq!(prober.sync(1), [Answer::Cannot(9, "not a probe of this prober".into())]);
        network.boot(&[guest(1), guest(2)]);
        thread::sleep(Duration::from_millis(200));
        assert_eq!(prober.sync(2), []);
        network.boot(&[guest(3)]);
        assert!(matches!(prober.next().1, Answer::Reached(2)));
        prober.add(5, Probe::Ping, "10.99.0.1".parse().unwrap());
        let (_, Answer::Cannot(5, why)) = prober.next() else { panic!() };
        assert!(why.contains("unreachable"), "{why}");
        network.boot(&["10.99.0.1".parse().unwrap()]);
        let begin = network.route("10.99.0.0/16");
        within("after a route was made", begin, prober.reached(1)[&5], 2 * IN_TIME);
    });
}

#[test]
fn what_the_pod_does_not_allow_is_named() {
    in_any_pods(|network, pod, _| {
        let close = "echo 1 0 >/proc/sys/net/ipv4/ping_group_range";
        assert!(network.command("sh").args(["-c", close]).status().unwrap().success());
        let mut prober = start(network, pod);
        hand_over(&mut prober);
        let (hello, lacks) = prober.greeting();
        assert_eq!((hello.ping, hello.tcp), ([false; 2], [true; 2]));
        assert!(format!("{lacks:?}").contains("net.ipv4.ping_group_range does not include"), "{lacks:?}");
    });
}

#[test]
fn without_a_program_for_the_machine_the_script_goes_on() {
    in_any_pods(|network, pod, shell| {
        let mut prober = start(network, pod);
        let Answer::Wanted(machine) = prober.next().1 else { panic!() };
        assert!(!machine.is_empty());
        prober.write("0\n");
        let (hello, lacks) = prober.greeting();
        assert_eq!(
            (hello.by, hello.ping, hello.tcp),
            (By::Script, [false; 2], [false; 2]),
            "{shell}: {lacks:?}"
        );
        let mut prober = start(network, pod);
        prober.next();
        prober.write("5\nnoelf");
        let (hello, before) = prober.greeting();
        assert_eq!(hello.by, By::Script);
        assert!(
            matches!(&before[0], Answer::Warning(text) if text.contains("does not run here")),
            "{before:?}"
        );
    });
}

/// Asserts that the script reports why it does not use the program, and continues.
#[track_caller]
fn goes_on_as_script(prober: &Prober, why: &str) {
    let (hello, before) = prober.greeting();
    let says = |answer: &Answer| matches!(answer, Answer::Warning(text) if text.contains(why));
    assert!(hello.by == By::Script && before.iter().any(says), "{why}: {before:?}");
}

#[test]
fn a_transfer_that_was_cut_off_leaves_nothing_that_is_used() {
    in_any_pods(|network, pod, _| {
        // Also one that lacks only what is not needed to run.
        for missing in [300_000, 64] {
            let mut prober = start(network, pod);
            let Answer::Wanted(machine) = prober.next().1 else { panic!() };
            let bytes = Program::of(&machine).unwrap().bytes();
            prober.write(&format!("{}\n", bytes.len()));
            prober.write_bytes(&bytes[..bytes.len().saturating_sub(missing)]);
            prober.close();
            goes_on_as_script(&prober, "does not run here");
            prober.ends();
            assert_eq!(std::fs::read_dir(pod.volume()).unwrap().count(), 0, "{missing} bytes are missing");
        }
        // The next transfer removes the remains of a killed one, and an existing program is reused.
        std::fs::write(pod.volume().join("prober-tag.99"), "part").unwrap();
        start_in(network, pod);
        let again = start(network, pod);
        assert_eq!(again.hello().by, By::Program);
        assert_eq!(std::fs::read_dir(pod.volume()).unwrap().count(), 1);
    });
}

#[test]
fn a_program_of_another_architecture_is_named_and_not_used() {
    in_any_pods(|network, pod, _| {
        let mut prober = start(network, pod);
        let Answer::Wanted(machine) = prober.next().1 else { panic!() };
        let mut bytes = Program::of(&machine).unwrap().bytes();
        // A machine type that does not exist.
        bytes[18..20].copy_from_slice(&[0x2a, 0x2a]);
        prober.write(&format!("{}\n", bytes.len()));
        prober.write_bytes(&bytes);
        goes_on_as_script(&prober, "Exec format error");
    });
}

#[test]
fn images_with_fewer_tools_take_the_program_or_say_why_not() {
    let _beside = beside_others();
    let Some(network) = Network::new() else { return };
    let pod = || Pod::with_shell(&network, "dash");
    // Without uname the kernel tells; an older kernel does not.
    let Some(small) = pod() else { return };
    small.remove("uname");
    let mut prober = start(&network, &small);
    let Answer::Wanted(machine) = prober.next().1 else { panic!() };
    assert!(Program::of(&machine).is_some() || machine == "unknown", "{machine}");
    prober.write("0\n");
    assert_eq!(prober.hello().by, By::Script);

    // A head that only knows lines must not consume the program.
    let small = pod().unwrap();
    small.replace("head", "#!/bin/sh\necho 'head: invalid option -- c' >&2\nexit 1\n");
    goes_on_as_script(&start(&network, &small), "neither head -c nor dd");
    small.install("dd", &find("dd").unwrap());
    start_in(&network, &small);

    // Without mv it stays where it is.
    let small = pod().unwrap();
    small.remove("mv");
    start_in(&network, &small);

    let small = pod().unwrap();
    small.remove("chmod");
    let mut prober = start(&network, &small);
    hand_over(&mut prober);
    goes_on_as_script(&prober, "chmod");

    let small = pod().unwrap();
    std::fs::remove_dir(small.volume()).unwrap();
    std::fs::write(small.volume(), "no folder").unwrap();
    goes_on_as_script(&start(&network, &small), "cannot be written to");
}

#[test]
fn a_thousand_waiting_guests_take_little_and_are_seen_in_time() {
    const GUESTS: u32 = 1000;
    let _alone = alone();
    let Some(network) = Network::new() else { return };
    let Some(pod) = Pod::with_shell(&network, "dash") else { return };
    let mut prober = start_in(&network, &pod);
    (0..GUESTS).for_each(|id| prober.add(id, Probe::Ping, guest(id)));
    prober.sync(1);
    let (before, begin) = (prober.cost(), clock::monotonic_now());
    thread::sleep(Duration::from_secs(2));
    let a_minute = (prober.cost() - before) / begin.elapsed().as_secs_f64() * 60.0;
    println!("{GUESTS} waiting guests: {a_minute:.1} s of processor time a minute");
    let mut delays = Vec::new();
    let since = clock::monotonic_now();
    for group in 0..20 {
        let ids: Vec<u32> = (0..GUESTS).filter(|id| id % 20 == group).collect();
        let begin = network.boot(&ids.iter().map(|id| guest(*id)).collect::<Vec<_>>());
        let reached = prober.reached(ids.len());
        delays.extend(ids.iter().map(|id| (reached[id] - begin).as_micros() as f64 / 1e3));
    }
    delays.sort_by(f64::total_cmp);
    let at = |share: f64| delays[((delays.len() as f64 * share) as usize).min(delays.len() - 1)];
    println!("seen after: p50 {:.1} ms, p99 {:.1} ms, max {:.1} ms", at(0.5), at(0.99), at(1.0));
    // One interval, and the time `ip` takes to add fifty addresses on a busy machine.
    let allowance = starved::allowance(since).as_secs_f64() * 1e3;
    assert!(at(0.99) < 200.0 + allowance, "{} ms, {allowance} ms of waiting", at(0.99));
    assert!(a_minute < 20.0, "{a_minute} s");
}

#[test]
fn a_guest_on_the_own_link_is_known_as_such_and_many_take_turns() {
    in_any_pods(|network, pod, _| {
        network.flat();
        let mut prober = start_in(network, pod);
        let flat = |n: u32| IpAddr::from([10, 79, (n / 200) as u8 + 1, (n % 200) as u8 + 1]);
        for id in 0..300 {
            prober.add(id, Probe::Ping, flat(id));
        }
        let mut before = prober.sync(1);
        until("a neighbor is sought", || {
            before.extend(prober.rest());
            before.iter().any(|answer| matches!(answer, Answer::Neighbor(_)))
        });
        let turns = |answer: &Answer| matches!(answer, Answer::Warning(text) if text.contains("take") || text.contains("turns"));
        assert_eq!(before.iter().filter(|answer| turns(answer)).count(), 1, "{before:?}");
        let table = network.command("cat").arg("/proc/net/arp").output().unwrap();
        let sought = String::from_utf8_lossy(&table.stdout).matches("10.79.").count();
        assert!((200..=256).contains(&sought), "{sought} neighbors are sought at once");
        // One that has its turn, and one that waits for it.
        for id in [3, 299] {
            let begin = network.boot_flat(flat(id));
            within(
                &format!("guest {id} on the own link"),
                begin,
                prober.reached(1)[&id],
                Duration::from_secs(9),
            );
        }
    });
}
