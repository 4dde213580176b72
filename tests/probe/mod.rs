//! The prober script in real shells, with real tools, against guests in network namespaces.

mod namespace;
mod nat;
mod pod;
mod prober;
mod program;
mod shell;
mod starved;
mod tools;
mod words;

use std::net::IpAddr;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::thread;
use std::time::{Duration, Instant};

use bootstorm_model::observe::clock;
use bootstorm_model::probe::{Answer, Ask, Family, Probe, SCRIPT, Tool};

use namespace::{Network, guest};
use prober::{IDLE, Prober, until};
use shell::Image;

/// One interval, and as much again for the tools to start on a busy machine.
const IN_TIME: Duration = Duration::from_millis(400);

/// Measuring tests run alone; all others run in parallel.
static ALONE: RwLock<()> = RwLock::new(());

fn alone() -> RwLockWriteGuard<'static, ()> {
    starved::watch();
    ALONE.write().unwrap_or_else(PoisonError::into_inner)
}

fn beside_others() -> RwLockReadGuard<'static, ()> {
    ALONE.read().unwrap_or_else(PoisonError::into_inner)
}

/// Runs a measuring test with every image in turn, each in its own network.
#[track_caller]
fn everywhere(test: impl Fn(&mut Network, Image)) {
    let _alone = alone();
    for image in Image::all() {
        let Some(mut network) = Network::new() else { return };
        println!("with {}", image.name);
        test(&mut network, image);
    }
}

/// Runs a non-measuring test with all images at once, each in its own network.
fn anywhere(test: impl Fn(&mut Network, Image) + Sync) {
    let _beside = beside_others();
    at_once(test);
}

fn at_once(test: impl Fn(&mut Network, Image) + Sync) {
    thread::scope(|scope| {
        for image in Image::all() {
            let test = &test;
            let thread = thread::Builder::new().name(image.name.to_owned());
            let run = move || {
                let Some(mut network) = Network::new() else { return };
                println!("with {}", image.name);
                test(&mut network, image);
            };
            thread.spawn_scoped(scope, run).expect("a thread");
        }
    });
}

#[track_caller]
fn in_time(what: &str, from: Instant, to: Instant) {
    starved::within(what, from, to, IN_TIME);
}

#[test]
fn a_guest_is_seen_within_an_interval() {
    everywhere(|network, image| {
        let mut prober = Prober::new(network, &image);
        let hello = prober.hello();
        assert!(hello.ping == [true; 2] && hello.tcp == [true; 2], "{hello:?}");
        let six: IpAddr = "fd77::7".parse().unwrap();
        prober.add(4, Probe::Ping, guest(4));
        prober.add(6, Probe::Ping, six);
        until("two pings run", || prober.count("ping") == 2);
        let begin = network.boot(&[guest(4)]);
        in_time("version 4", begin, prober.reached(1)[&4]);
        let begin = network.boot(&[six]);
        in_time("version 6", begin, prober.reached(1)[&6]);
        until("no ping is left", || prober.count("ping") == 0);
    });
}

#[test]
fn of_a_guest_that_is_kept_every_answer_is_told() {
    everywhere(|network, image| {
        let mut prober = Prober::new(network, &image);
        prober.hello();
        network.boot(&[guest(1)]);
        prober.keep(1, Probe::Ping, guest(1));
        (0..5).for_each(|_| assert!(matches!(prober.next().1, Answer::Reached(1))));
        network.silence(guest(1));
        prober.sync(1);
        // Everything in flight has arrived.
        thread::sleep(Duration::from_millis(500));
        prober.sync(2);
        thread::sleep(Duration::from_millis(500));
        assert!(!prober.sync(3).contains(&Answer::Reached(1)));
        let begin = network.boot(&[guest(1)]);
        in_time("the guest is back", begin, prober.reached(1)[&1]);
        prober.ask(&Ask::Drop(1));
        until("no ping is left", || prober.count("ping") == 0);
    });
}

#[test]
fn a_port_is_seen_when_it_listens_and_not_when_it_refuses() {
    everywhere(|network, image| {
        let mut prober = Prober::new(network, &image);
        prober.hello();
        network.boot(&[guest(1)]);
        prober.add(1, Probe::Tcp(2222), guest(1));
        // Several refusals are intended.
        thread::sleep(Duration::from_secs(1));
        assert_eq!(prober.sync(1), []);
        let nc = image.path().join("nc").to_string_lossy().into_owned();
        let begin = match image.name {
            "busybox" => network.listen(&[&nc, "-ll", "-p", "2222", "-e", "true"]),
            _ => network.listen(&[&nc, "-lk", "2222"]),
        };
        in_time("port", begin, prober.reached(1)[&1]);
        prober.ask(&Ask::Drop(1));
        until("no connection is left", || prober.count("nc") + prober.count("sleep") == 1);
    });
}

#[test]
fn a_silent_guest_whose_port_opens_is_seen_too() {
    everywhere(|network, image| {
        let mut prober = Prober::new(network, &image);
        prober.hello();
        let nc = image.path().join("nc").to_string_lossy().into_owned();
        match image.name {
            "busybox" => network.listen(&[&nc, "-ll", "-p", "2222", "-e", "true"]),
            _ => network.listen(&[&nc, "-lk", "2222"]),
        };
        prober.add(1, Probe::Tcp(2222), guest(1));
        until("connections overlap", || prober.count("nc") > 2);
        assert_eq!(prober.sync(1), []);
        let begin = network.boot(&[guest(1)]);
        in_time("port of a silent guest", begin, prober.reached(1)[&1]);
    });
}

#[test]
fn three_hundred_guests_are_seen_in_time() {
    const GUESTS: u32 = 300;
    const WINDOW: Duration = Duration::from_millis(1500);
    everywhere(|network, image| {
        let mut prober = Prober::new(network, &image);
        prober.hello();
        for id in 0..GUESTS {
            prober.add(id, Probe::Ping, guest(id));
        }
        until("all pings run", || prober.count("ping") == GUESTS as usize);
        until("all have begun", || prober.count("sleep") == 1);
        let (before, begin) = (prober.cost(), clock::monotonic_now());
        thread::sleep(WINDOW);
        let a_minute = (prober.cost() - before) / begin.elapsed().as_secs_f64() * 60.0;
        println!("{GUESTS} waiting guests: {a_minute:.1} s of processor time a minute");
        let mut delays = Vec::new();
        let since = clock::monotonic_now();
        for group in 0..3 {
            let ids: Vec<u32> = (0..GUESTS).filter(|id| id % 3 == group).collect();
            let begin = network.boot(&ids.iter().map(|id| guest(*id)).collect::<Vec<_>>());
            let reached = prober.reached(ids.len());
            delays.extend(ids.iter().map(|id| (reached[id] - begin).as_millis()));
            for id in &ids {
                prober.ask(&Ask::Drop(*id));
            }
        }
        delays.sort_unstable();
        let (half, most, last) = (delays[149], delays[296], delays[299]);
        println!("{GUESTS} guests seen after: p50 {half} ms, p99 {most} ms, max {last} ms");
        // A hundred at once answer within one interval; the rest is reading them.
        let allowance = starved::allowance(since).as_millis();
        assert!(most <= 600 + allowance && last <= 1000 + allowance, "{allowance} of waiting: {delays:?}");
        until("no ping is left", || prober.count("ping") == 0);
        assert!(a_minute < 30.0, "{a_minute} s");
    });
}

#[test]
fn a_pod_of_one_family_claims_no_other() {
    anywhere(|network, image| {
        for (family, able) in [("-6", [true, false]), ("-4", [false, false])] {
            network.without(family);
            let mut prober = Prober::new(network, &image);
            let (hello, before) = prober.greeting();
            // A pod without any address is assumed to have IPv4.
            let able = if family == "-4" { [true, false] } else { able };
            assert_eq!((hello.ping, hello.tcp), (able, able), "without {family}: {before:?}");
            prober.close();
        }
    });
    anywhere(|network, image| {
        network.without("-4");
        let (hello, before) = Prober::new(network, &image).greeting();
        assert_eq!((hello.ping, hello.tcp), ([false, true], [false, true]), "{before:?}");
        let why = Answer::Lacks(Tool::Ping, Family::V4, "no address of this family".into());
        assert!(before.contains(&why), "{before:?}");
    });
}

#[test]
fn a_dropped_guest_leaves_no_process() {
    anywhere(|network, image| {
        let mut prober = Prober::new(network, &image);
        prober.hello();
        // Dropped while waiting, dropped at once, moved, and dropped between two pings that end by themselves.
        prober.add(1, Probe::Ping, guest(1));
        until("a ping runs", || prober.count("ping") == 1);
        prober.ask(&Ask::Drop(1));
        until("nothing is left", || prober.alive().len() == IDLE);
        for id in 10..110 {
            prober.add(id, Probe::Ping, guest(id));
            prober.ask(&Ask::Drop(id));
        }
        until("nothing is left of a hundred", || prober.alive().len() == IDLE);
        prober.add(2, Probe::Ping, guest(2));
        prober.add(2, Probe::Ping, guest(3));
        prober.sync(1);
        until("one ping runs", || prober.count("ping") == 1);
        network.boot(&[guest(2), guest(3)]);
        prober.reached(1);
        until("nothing is left of the moved", || prober.alive().len() == IDLE);
        prober.add(3, Probe::Ping, "10.99.0.1".parse().unwrap());
        until("a ping found no route", || prober.count("sleep") == 2);
        prober.ask(&Ask::Drop(3));
        until("nothing is left of the unreachable", || prober.alive().len() == IDLE);
        // It reports the missing route, and nothing else.
        for answer in prober.sync(2) {
            assert!(matches!(&answer, Answer::Cannot(3, why) if why.contains("unreachable")), "{answer:?}");
        }
    });
}

#[test]
fn a_guest_moves_to_another_address_under_a_new_id() {
    anywhere(|network, image| {
        let mut prober = Prober::new(network, &image);
        prober.hello();
        prober.add(1, Probe::Ping, guest(1));
        prober.ask(&Ask::Drop(1));
        prober.add(2, Probe::Ping, guest(2));
        prober.sync(1);
        until("one ping runs", || prober.count("ping") == 1);
        network.boot(&[guest(1), guest(2)]);
        assert_eq!(prober.next().1, Answer::Reached(2));
        assert_eq!(prober.sync(2), []);
    });
}

#[test]
fn a_silent_guest_on_the_own_link_is_known_as_such() {
    anywhere(|network, image| {
        network.flat();
        let mut prober = Prober::new(network, &image);
        prober.hello();
        let silent = ["10.77.9.9", "fd77::99", "10.79.1.1", "10.79.1.2", "fd79::9", "fd79::a"];
        for (id, address) in silent.iter().enumerate() {
            let probe = if id % 2 == 0 { Probe::Ping } else { Probe::Tcp(22) };
            prober.add(id as u32, probe, address.parse().unwrap());
        }
        let mut known = Vec::new();
        until("all four are known", || {
            known.extend(prober.rest());
            known.len() >= 4
        });
        known.extend(prober.sync(1));
        known.sort_by_key(|answer| format!("{answer:?}"));
        assert_eq!(known, [2, 3, 4, 5].map(Answer::Neighbor), "and none behind a router");
    });
}

#[test]
fn a_guest_without_a_route_is_tried_about_once_a_second() {
    let _alone = alone();
    at_once(|network, image| {
        let tries = tempfile::NamedTempFile::new().unwrap();
        let count = format!("echo >>{}\nexec $REAL \"$@\"", tries.path().display());
        // Applets are selected by their name, which a script in front of them keeps.
        let image = image.with("ping", &count);
        let mut prober = Prober::new(network, &image);
        prober.hello();
        let tried = || std::fs::read(tries.path()).unwrap().len() as f64;
        let (first, since) = (tried(), clock::monotonic_now());
        prober.add(1, Probe::Ping, "10.99.0.1".parse().unwrap());
        thread::sleep(Duration::from_secs(3));
        let (made, seconds) = (tried() - first, since.elapsed().as_secs_f64());
        let most = seconds + 1.0;
        let least = seconds - 1.0 - starved::allowance(since).as_secs_f64();
        assert!((least..=most).contains(&made), "{made} in {seconds:.1} s");
        network.boot(&["10.99.0.1".parse().unwrap()]);
        let begin = network.route("10.99.0.0/16");
        let seen = prober.reached(1)[&1];
        starved::within("after a route was made", begin, seen, Duration::from_secs(1) + IN_TIME);
    });
}

#[test]
fn lines_that_mean_nothing_are_ignored() {
    anywhere(|network, image| {
        let mut prober = Prober::new(network, &image);
        prober.hello();
        prober.write("\nz 1\na\na 1\na 1 udp 10.77.0.1 53\na x;y ping 10.77.0.1\nd\nd 99\nd $(z)\na 5 \\\n");
        assert_eq!(prober.sync(7), []);
        until("nothing was begun", || prober.alive().len() == IDLE);
    });
}

#[test]
fn echoes_leave_no_zombies() {
    anywhere(|network, image| {
        let mut prober = Prober::new(network, &image);
        prober.hello();
        for token in 0..30 {
            prober.sync(token);
        }
        until("few are left", || prober.processes().len() <= 5);
    });
}

/// A prober with all kinds of probes in progress.
fn busy(prober: &mut Prober) {
    for id in 0..5 {
        prober.add(id, Probe::Ping, guest(id));
        prober.add(id + 5, Probe::Tcp(22), guest(id));
        prober.add(id + 10, Probe::Ping, "10.99.0.1".parse().unwrap());
    }
    until("pings and connections run", || {
        // However long that takes, it is not forgotten.
        prober.write("e 0\n");
        prober.count("ping") >= 5 && prober.count("nc") >= 5
    });
}

#[test]
fn the_script_ends_with_its_input_and_takes_everything_along() {
    anywhere(|network, image| {
        let mut prober = Prober::new(network, &image);
        busy(&mut prober);
        prober.close();
        prober.ends();
        let mut prober = Prober::new(network, &image);
        busy(&mut prober);
        prober.terminate();
        prober.ends();
    });
}

#[test]
fn what_is_being_begun_ends_too() {
    anywhere(|network, image| {
        for _ in 0..10 {
            let mut prober = Prober::mute(SCRIPT, network, &image);
            for id in 0..10 {
                prober.add(id, Probe::Ping, guest(id));
            }
            prober.close();
            prober.ends();
        }
    });
}

#[test]
fn the_script_ends_when_nobody_reads() {
    anywhere(|network, image| {
        let mut prober = Prober::mute(SCRIPT, network, &image);
        busy(&mut prober);
        prober.stop_reading();
        prober.ends_when_it_speaks();
        let mut prober = Prober::mute(SCRIPT, network, &image);
        busy(&mut prober);
        prober.stop_reading();
        network.boot(&[guest(1)]);
        prober.ends();
    });
}

#[test]
fn the_script_ends_when_nobody_asks_for_a_sign_of_life() {
    let hurried = SCRIPT.replace("sleep 120", "sleep 3");
    assert_ne!(hurried, SCRIPT);
    anywhere(|network, image| {
        let mut prober = Prober::of(&hurried, network, &image);
        busy(&mut prober);
        let begin = clock::monotonic_now();
        prober.write("e 1\n");
        prober.ends();
        assert!(begin.elapsed() > Duration::from_millis(2900), "{:?}", begin.elapsed());
    });
}

#[test]
fn an_image_says_which_tools_it_has() {
    anywhere(|network, image| {
        let image = image.without("ping");
        let prober = Prober::new(network, &image);
        let hello = prober.hello();
        assert!(hello.ping == [false; 2] && hello.tcp == [true; 2], "{hello:?}");
        let image = image.without("nc");
        let mut prober = Prober::new(network, &image);
        let hello = prober.hello();
        assert!(hello.ping == [false; 2] && hello.tcp == [false; 2], "{hello:?}");
        prober.add(3, Probe::Ping, guest(3));
        let (_, Answer::Cannot(3, why)) = prober.next() else { panic!() };
        assert!(why.contains("not found"), "{why}");
        assert_eq!(prober.rest(), []);
    });
}

#[test]
fn tools_that_know_less_are_used_for_what_they_know() {
    const PING: &str =
        r#"case "$*" in *-i*0.2*) echo "ping: invalid number '0.2'"; exit 1 ;; esac; exec $REAL "$@""#;
    const SLEEP: &str = r#"case $1 in *.*) exit 1 ;; esac; exec $REAL "$@""#;
    anywhere(|network, image| {
        let image = image.with("ping", PING).with("sleep", SLEEP);
        let mut prober = Prober::new(network, &image);
        prober.hello();
        network.boot(&[guest(1)]);
        prober.add(1, Probe::Ping, guest(1));
        assert!(matches!(prober.next().1, Answer::Reached(1)));
        prober.add(2, Probe::Tcp(2222), guest(1));
        let nc = image.path().join("nc").to_string_lossy().into_owned();
        match image.name {
            "busybox" => network.listen(&[&nc, "-ll", "-p", "2222", "-e", "true"]),
            _ => network.listen(&[&nc, "-lk", "2222"]),
        };
        assert!(matches!(prober.next().1, Answer::Reached(2)));
    });
}
