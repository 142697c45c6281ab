//! `[[sku]]`: bundles of chances on sale.
use settings::{Faulted, Section, all};

use super::bounds::{AMOUNT_MAX, CHANCES_MAX};
use super::ids::{Distinct, id};
use crate::campaign::Sku;
use crate::ids::SkuId;

const SKUS_MAX: usize = 1_000;

pub(super) fn skus(root: &Section<'_>) -> Result<Vec<Sku>, Faulted> {
    let mut seen = Distinct::default();
    all(root
        .sections("sku", 0..=SKUS_MAX)?
        .iter()
        .map(|section| sku(section, &mut seen)))
}

fn sku(section: &Section<'_>, seen: &mut Distinct<SkuId>) -> Result<Sku, Faulted> {
    let id = id(&section.value("id"), SkuId::new)
        .try_map(|id| seen.add(id))
        .required();
    let stock = section.integer("stock", 0..=AMOUNT_MAX).required();
    let price_minor = section.integer("price_minor", 0..=AMOUNT_MAX).required();
    let chances = section.integer("chances", 1..=CHANCES_MAX).required();
    Ok(Sku {
        id: id?,
        stock: stock?,
        price_minor: price_minor?,
        chances: chances?,
    })
}
