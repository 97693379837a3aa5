//! Where Java's default partitioner places a key: written from Kafka's `Utils.murmur2`, and nothing of the program's.

/// `Utils.toPositive(Utils.murmur2(key)) % partitions`.
pub fn partition(key: &[u8], partitions: i32) -> i32 {
    (murmur2(key) & i32::MAX) % partitions
}

/// Java's, statement by statement: all `int`, `>>>` a logical shift.
fn murmur2(data: &[u8]) -> i32 {
    const M: i32 = 0x5bd1_e995;
    let logical_shift = |value: i32, by: u32| ((value as u32) >> by) as i32;
    let length = i32::try_from(data.len()).unwrap();
    let mut h = 0x9747_b28c_u32 as i32 ^ length;
    for i in 0..data.len() / 4 {
        let byte = |index: usize| i32::from(data[i * 4 + index]);
        let mut k = byte(0) + (byte(1) << 8) + (byte(2) << 16) + (byte(3) << 24);
        k = k.wrapping_mul(M);
        k ^= logical_shift(k, 24);
        k = k.wrapping_mul(M);
        h = h.wrapping_mul(M);
        h ^= k;
    }
    let tail = data.len() & !3;
    let rest = data.len() % 4;
    if rest == 3 {
        h ^= i32::from(data[tail + 2]) << 16;
    }
    if rest >= 2 {
        h ^= i32::from(data[tail + 1]) << 8;
    }
    if rest >= 1 {
        h ^= i32::from(data[tail]);
        h = h.wrapping_mul(M);
    }
    h ^= logical_shift(h, 13);
    h = h.wrapping_mul(M);
    h ^ logical_shift(h, 15)
}

/// The vectors of Kafka's own `UtilsTest.testMurmur2`.
#[test]
fn murmur2_is_javas() {
    for (text, hash) in [
        ("21", -973_932_308),
        ("foobar", -790_332_482),
        ("a-little-bit-long-string", -985_981_536),
        ("a-little-bit-longer-string", -1_486_304_829),
        ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
        ("abc", 479_470_107),
    ] {
        assert_eq!(murmur2(text.as_bytes()), hash, "{text}");
    }
}
