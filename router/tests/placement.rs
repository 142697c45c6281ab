//! Where users' rows are: frozen for known ids, and even for the kinds of id that real systems use.

use proptest::prelude::Rng;
use proptest::test_runner::{RngAlgorithm, TestRng};
use router::{SLOTS, Slot, SlotMap, crc32};

/// Ids in each family.
const IDS: u32 = 100_000;

/// Oracles that are not our code: the check value in the CRC catalogues, and the example in
/// `MySQL`'s manual.
#[test]
fn the_checksum_is_the_one_that_zlib_and_mysql_compute() {
    assert_eq!(crc32("123456789"), 0xCBF4_3926);
    assert_eq!(crc32("MySQL"), 3_259_397_556);
    assert_eq!(crc32(""), 0);
}

/// Rows are stored by these numbers. They were computed with zlib; a change here loses every user's
/// data.
#[test]
fn known_users_stay_where_they_are() {
    let map = SlotMap::even(1, 2, 4).expect("a shape within the bounds");
    for (user_id, checksum, slot, shard, table) in [
        ("xfg", 0x45D2_D820, 32, 0, 0),
        ("xiaofuge", 0x8760_0ACA, 714, 1, 2),
        ("user001", 0x949D_1CEE, 238, 0, 2),
        ("user002", 0x0D94_4D54, 340, 0, 0),
        ("user003", 0x7A93_7DC2, 450, 0, 2),
        ("12345", 0xCBF5_3A1C, 540, 1, 0),
        ("liergou", 0xE1F7_1829, 41, 0, 1),
        ("u", 0xF26D_6A3E, 574, 1, 2),
        ("U", 0xC903_4AF6, 758, 1, 2),
        ("\u{fa}", 0x8ABA_CCE0, 224, 0, 0),
        ("123456789", 0xCBF4_3926, 294, 0, 2),
    ] {
        let route = map.route(user_id);
        assert_eq!(crc32(user_id), checksum, "{user_id}");
        assert_eq!(
            (route.slot().get(), route.shard().get(), route.table().get()),
            (slot, shard, table),
            "{user_id}"
        );
    }
}

/// Every family, by every shape, by shard and table together and by each alone.
#[test]
fn ids_of_every_kind_spread_evenly() {
    for (family, ids_per_slot) in families() {
        for (shards, tables, ratio_max) in SHAPES {
            let map = SlotMap::even(1, shards, tables).expect("a shape within the bounds");
            let mut both = vec![Bucket::default(); usize::from(shards * tables)];
            let mut by_shard = vec![Bucket::default(); usize::from(shards)];
            let mut by_table = vec![Bucket::default(); usize::from(tables)];
            for (slot, &ids) in Slot::all().zip(&ids_per_slot) {
                let route = map.route_slot(slot);
                let (shard, table) = (route.shard().get(), route.table().get());
                both[usize::from(shard * tables + table)].add(ids);
                by_shard[usize::from(shard)].add(ids);
                by_table[usize::from(table)].add(ids);
            }
            let name = format!("{family}, {shards} x {tables}");
            assert_even(&format!("{name}, tables of all shards"), &both, ratio_max);
            assert_even(&format!("{name}, shards"), &by_shard, RATIO_MAX_ALONE);
            assert_even(&format!("{name}, tables"), &by_table, RATIO_MAX_ALONE);
        }
        // Slots move to new shards, so they must be alike too: within six sigma each, as below.
        let slots: Vec<Bucket> = ids_per_slot
            .iter()
            .map(|&ids| Bucket { slots: 1, ids })
            .collect();
        assert_even(&format!("{family}, slots"), &slots, f64::INFINITY);
    }
}

/// Shards, tables, and the greatest tolerated (fullest bucket / emptiest bucket).
///
/// If 100,000 ids fell by chance, a bucket of share p would have a standard deviation of sqrt(IDS *
/// p * (1 - p)): 0.8 % of its mean at 8 buckets, 1.2 % at 16, 2.5 % at 64. A ratio of 1.10 allows
/// both the fullest and the emptiest bucket to be 5.7 sigma off at 8 buckets, and 3.9 at 16. 1.25
/// allows 4.4 at 64. In 60,000 simulated families chance broke none of these, while a table that
/// reuses the shard's bits breaks them at once. With 3 shards a bucket has 85 or 86 slots, which by
/// itself makes a ratio of 1.01.
const SHAPES: [(u16, u16, f64); 4] = [(2, 4, 1.10), (3, 4, 1.10), (4, 4, 1.10), (8, 8, 1.25)];

/// The same for shards or tables alone, at most 8 of them, by the figure for 8 buckets above.
const RATIO_MAX_ALONE: f64 = 1.10;

/// How far a single bucket may lie from its own share, which takes its number of slots into
/// account.
const SIGMAS_MAX: f64 = 6.0;

#[derive(Clone, Copy, Default)]
struct Bucket {
    slots: u32,
    ids: u32,
}

impl Bucket {
    fn add(&mut self, ids: u32) {
        self.slots += 1;
        self.ids += ids;
    }

    fn sigmas_off(self) -> f64 {
        let share = f64::from(self.slots) / f64::from(SLOTS);
        let mean = f64::from(IDS) * share;
        (f64::from(self.ids) - mean).abs() / (mean * (1.0 - share)).sqrt()
    }
}

fn assert_even(name: &str, buckets: &[Bucket], ratio_max: f64) {
    assert_eq!(
        buckets.iter().map(|bucket| bucket.ids).sum::<u32>(),
        IDS,
        "{name}"
    );
    let least = buckets
        .iter()
        .map(|bucket| bucket.ids)
        .min()
        .expect("some buckets");
    let most = buckets
        .iter()
        .map(|bucket| bucket.ids)
        .max()
        .expect("some buckets");
    let ratio = f64::from(most) / f64::from(least);
    let sigmas = buckets
        .iter()
        .map(|bucket| bucket.sigmas_off())
        .fold(0.0, f64::max);
    // The measured figures, shown by `cargo test -p router -- --nocapture`.
    println!("{name}: {least} to {most}, ratio {ratio:.3}, at most {sigmas:.1} sigma off");
    assert!(
        ratio <= ratio_max,
        "{name}: {least} to {most}, ratio {ratio:.3} > {ratio_max}"
    );
    assert!(sigmas <= SIGMAS_MAX, "{name}: {sigmas:.1} sigma off");
}

/// Ids per slot for each kind of id. Slots are counted once, because every shape is made of them.
fn families() -> Vec<(&'static str, Vec<u32>)> {
    let mut uuids = seeded(1);
    let mut openids = seeded(2);
    vec![
        ("sequential", count(|n| format!("user{n}"))),
        ("zero-padded", count(|n| format!("user{n:07}"))),
        ("decimal", count(|n| n.to_string())),
        ("even steps", count(|n| (2 * n).to_string())),
        // A CRC is linear: ids that share a power of two or of ten would show that.
        (
            "steps of 1000",
            count(|n| (1000 * u64::from(n)).to_string()),
        ),
        (
            "steps of 1024",
            count(|n| (1024 * u64::from(n)).to_string()),
        ),
        ("hexadecimal", count(|n| format!("{n:08x}"))),
        ("phone numbers", count(|n| format!("138{n:08}"))),
        ("mail addresses", count(|n| format!("user{n}@example.com"))),
        ("uuid v4", count(|_| uuid_v4(&mut uuids))),
        ("openid", count(|_| openid(&mut openids))),
    ]
}

fn count(mut id: impl FnMut(u32) -> String) -> Vec<u32> {
    let mut ids_per_slot = vec![0; usize::from(SLOTS)];
    for n in 1..=IDS {
        ids_per_slot[usize::from(Slot::of(&id(n)).get())] += 1;
    }
    ids_per_slot
}

fn seeded(seed: u8) -> TestRng {
    TestRng::from_seed(RngAlgorithm::ChaCha, &[seed; 32])
}

fn uuid_v4(rng: &mut TestRng) -> String {
    let (high, low) = (rng.next_u64(), rng.next_u64());
    format!(
        "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
        high >> 32,
        high >> 16 & 0xFFFF,
        high & 0x0FFF,
        0x8000 | low >> 48 & 0x3FFF,
        low & 0xFFFF_FFFF_FFFF,
    )
}

/// As `WeChat` writes them: a prefix for each app, then base64url characters.
fn openid(rng: &mut TestRng) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let random = (0..22).map(|_| char::from(ALPHABET[(rng.next_u32() & 63) as usize]));
    "oUpF8u".chars().chain(random).collect()
}
