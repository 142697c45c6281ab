//! The rewards of a campaign, for programs.
use std::num::NonZeroU32;

use market::campaign::{Gives, Reward};
use serde_json::{Value, json};

/// The rewards as a list.
pub(super) fn in_json(rewards: &[Reward]) -> Value {
    rewards.iter().map(reward).collect()
}

fn reward(reward: &Reward) -> Value {
    let streak = reward.streak.map(NonZeroU32::get);
    let behaviour = reward.behaviour.as_str();
    match reward.gives {
        Gives::Chances(sku) => {
            json!({"behavior": behaviour, "kind": "chances", "sku": sku.get(), "streak": streak})
        }
        Gives::Points(points) => {
            json!({"behavior": behaviour, "kind": "points", "points": points, "streak": streak})
        }
    }
}
