//! Reproducible noise: bodies and files that compress to nothing and can be made again from their seed.

use std::{
    fs::File,
    io::{BufReader, Read, Write as _},
    path::Path,
};

/// An endless stream of noise (splitmix64).
pub struct Noise(u64);

impl Noise {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    pub fn fill(&mut self, buffer: &mut [u8]) {
        for piece in buffer.chunks_mut(8) {
            let bytes = self.next().to_le_bytes();
            piece.copy_from_slice(&bytes[..piece.len()]);
        }
    }
    pub fn bytes(seed: u64, size: usize) -> Vec<u8> {
        let mut bytes = vec![0; size];
        Self::new(seed).fill(&mut bytes);
        bytes
    }
}

/// Writes a file of noise.
pub fn file(path: &Path, size: u64, seed: u64) {
    let mut noise = Noise::new(seed);
    let mut file = File::create(path).unwrap();
    let mut block = vec![0; 1 << 20];
    let mut left = size;
    while left > 0 {
        let here = left.min(block.len() as u64) as usize;
        noise.fill(&mut block[..here]);
        file.write_all(&block[..here]).unwrap();
        left -= here as u64;
    }
}

/// Fails unless both files hold the same bytes.
pub fn assert_same(a: &Path, b: &Path) {
    let open = |p: &Path| {
        BufReader::with_capacity(
            1 << 20,
            File::open(p).unwrap_or_else(|e| panic!("{}: {e}", p.display())),
        )
    };
    let (mut left, mut right) = (open(a), open(b));
    assert_eq!(
        a.metadata().unwrap().len(),
        b.metadata().unwrap().len(),
        "{} {}",
        a.display(),
        b.display()
    );
    let (mut x, mut y) = (vec![0; 1 << 20], vec![0; 1 << 20]);
    loop {
        let n = left.read(&mut x).unwrap();
        if n == 0 {
            break;
        }
        right.read_exact(&mut y[..n]).unwrap();
        assert!(x[..n] == y[..n], "{} and {} differ", a.display(), b.display());
    }
}

/// Fails unless both folders hold the same files.
pub fn assert_same_tree(a: &Path, b: &Path) {
    let names = |p: &Path| {
        let mut names: Vec<_> = std::fs::read_dir(p)
            .unwrap()
            .map(|e| e.unwrap().file_name())
            .collect();
        names.sort();
        names
    };
    assert_eq!(names(a), names(b));
    for name in names(a) {
        let (x, y) = (a.join(&name), b.join(&name));
        if x.is_dir() {
            assert_same_tree(&x, &y)
        } else {
            assert_same(&x, &y)
        }
    }
}
