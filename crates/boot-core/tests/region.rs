//! Every pair of address and size on a grid of edges, against arithmetic that cannot overflow.

use boot_core::SlotRegion;
use link::message::{ImageInfo, Refusal};

/// What the answer must be, in 64 bits.
fn oracle(region: &SlotRegion, address: u32, size: u32) -> Result<(), Refusal> {
    let end = u64::from(address) + u64::from(size);
    if address != region.address {
        Err(Refusal::WrongAddress)
    } else if size == 0 || size > region.capacity || end > 1 << 32 {
        Err(Refusal::WrongSize)
    } else {
        Ok(())
    }
}

/// Every 64 KiB edge of the address space, and the numbers beside it.
fn all_edges() -> impl Iterator<Item = u32> {
    (0..=u16::MAX).flat_map(|edge| {
        let edge = u32::from(edge) << 16;
        [edge.wrapping_sub(1), edge, edge.wrapping_add(1)]
    })
}

/// Numbers around those that a region is made of, and around every power of two.
fn special(region: &SlotRegion) -> Vec<u32> {
    let mut numbers: Vec<u32> = (0..32).map(|bit| 1 << bit).collect();
    numbers.extend([0, region.address, region.capacity]);
    numbers.push(region.address.wrapping_add(region.capacity));
    numbers.push(region.address.wrapping_neg());
    let around = |number: &u32| {
        (0..3).map(|step| number.wrapping_add(step).wrapping_sub(1)).collect::<Vec<_>>()
    };
    numbers.iter().flat_map(around).collect()
}

#[test]
fn an_image_lies_in_its_region_or_is_refused() {
    let regions = [
        // The board's firmware and persona.
        (0x8000, 0x000f_8000),
        (0x0200_0000, 0x1800_0000),
        // The ends of the address space.
        (0, u32::MAX),
        (0, 0),
        (1, u32::MAX),
        (0xffff_0000, 0x0001_0000),
        (0xffff_0000, 0x0001_0001),
        (0xffff_0000, u32::MAX),
        (u32::MAX, 1),
        (u32::MAX, 2),
        (0x8000_0000, 0x8000_0000),
        (0x8000_0000, 0x8000_0001),
    ];
    let mut pairs = 0_u64;
    let mut accepted = 0_u64;
    for (address, capacity) in regions {
        let region = SlotRegion { address, capacity };
        let mut check = |address, size| {
            let image = ImageInfo { address, size, digest: [0; 32] };
            let expected = oracle(&region, address, size);
            assert_eq!(region.check(&image), expected, "{region:x?} {address:#x} {size:#x}");
            pairs += 1;
            accepted += u64::from(expected.is_ok());
        };
        let special = special(&region);
        for edge in all_edges() {
            for &number in &special {
                check(number, edge);
                check(edge, number);
            }
        }
    }
    // The grid must contain both answers, often, to mean anything.
    assert!(accepted > 100_000 && accepted < pairs / 2, "{accepted} of {pairs}");
    println!("wisp: bootloader_region_pairs {pairs} pairs");
}
