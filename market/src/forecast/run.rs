//! One run: all draws of all users, one after the other.
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

use super::figures::RunFigures;
use super::setting::Forecast;
use super::tally::FinishedRun;
use crate::campaign::{Award, LifeState};
use crate::chances::Account;
use crate::command::draw::{Decision, Drawer, Rule, decide};
use crate::random::Randomness;

/// After how many draws a run says how far it is.
const DRAWS_PER_REPORT: usize = 1 << 16;

/// The memory of a run, for the next one.
#[derive(Debug, Default)]
pub struct Buffers {
    people: Vec<Person>,
    /// The users in the order of the round.
    order: Vec<u32>,
    /// Units left of each award; of one without limit 0, which is never asked for.
    left: Vec<u64>,
    /// How many each user was given of each award with a limit for one user, user by user.
    given: Vec<u32>,
}

impl Buffers {
    /// How many bytes a run of a forecast needs.
    pub fn bytes(forecast: &Forecast) -> u64 {
        let limits = forecast.campaign().strategy.user_limits().len();
        let of_user = size_of::<Person>() + (1 + limits) * size_of::<u32>();
        of_user as u64 * u64::from(forecast.turnout().users())
    }
}

/// A user.
#[derive(Debug, Clone, Copy)]
struct Person {
    account: Account,
    /// The most draws on one day.
    day_used_max: u32,
}

/// The random numbers of a run: a stream of its own of the forecast's seed.
pub(super) fn numbers(seed: u64, run: u32) -> impl Randomness {
    let mut generator = ChaCha8Rng::seed_from_u64(seed);
    generator.set_stream(run.into());
    move || generator.next_u64()
}

impl Forecast {
    /// Simulates the run of a number. `report` is told now and then how many further draws are
    /// done.
    pub fn run(
        &self,
        number: u32,
        buffers: &mut Buffers,
        mut report: impl FnMut(u64),
    ) -> FinishedRun {
        let mut run = Run::begin(self, buffers, numbers(self.seed(), number));
        for day in 0..self.turnout().days() {
            let mut draws = self.first_draw(day)..self.first_draw(day + 1);
            loop {
                let few = draws.by_ref().take(DRAWS_PER_REPORT);
                let done = few.map(|draw| run.draw(draw, day)).count();
                if done == 0 {
                    break;
                }
                report(done as u64);
            }
        }
        run.end()
    }
}

struct Run<'a, R> {
    forecast: &'a Forecast,
    random: R,
    buffers: &'a mut Buffers,
    figures: RunFigures,
    /// Which draw took the last unit of each award, or was the first to find none.
    last_units: Vec<Option<u64>>,
    /// The user's index in the order of the round.
    next: usize,
}

impl<'a, R: Randomness> Run<'a, R> {
    fn begin(forecast: &'a Forecast, buffers: &'a mut Buffers, random: R) -> Self {
        let campaign = forecast.campaign();
        let (awards, users) = (&campaign.strategy.awards, forecast.turnout().users());
        let person = Person {
            account: Account::new(campaign.chances),
            day_used_max: 0,
        };
        let Buffers {
            people,
            order,
            left,
            given,
        } = buffers;
        people.clear();
        people.resize(users as usize, person);
        order.clear();
        order.extend(0..users);
        left.clear();
        left.extend(awards.iter().map(|award| award.count.unwrap_or(0)));
        given.clear();
        given.resize(users as usize * campaign.strategy.user_limits().len(), 0);
        let groups = campaign.strategy.weight_groups().len();
        Self {
            forecast,
            random,
            buffers,
            figures: RunFigures::new(awards.len(), groups, forecast.locks().len()),
            last_units: awards.iter().map(gone_at_first).collect(),
            next: 0,
        }
    }

    /// Makes a draw of the user whose turn it is.
    fn draw(&mut self, draw: u64, day: u32) {
        let index = self.next_user();
        let (user, now) = (self.forecast.user(index), self.forecast.moment(day));
        let person = &mut self.buffers.people[index];
        let campaign = self.forecast.campaign();
        let refusal = LifeState::of(&campaign.activity, None, now).refusal();
        let decided = if let Some(refusal) = refusal {
            Err(refusal)
        } else {
            let drawer = Drawer::not_listed(user);
            decide(campaign, drawer, person.account, now, &mut self.random)
        };
        match decided {
            Ok(decision) => {
                person.account = decision.account;
                person.day_used_max = person.day_used_max.max(decision.account.day_used);
                self.conclude(index, decision, draw);
            }
            Err(refusal) => self.figures.refuse(refusal, 1),
        }
    }

    /// Whose turn it is. The order is mixed while the round goes on (Fisher and Yates).
    fn next_user(&mut self) -> usize {
        let order = &mut self.buffers.order;
        let others = self.random.below((order.len() - self.next) as u64);
        let chosen = self.next + usize::try_from(others).expect("below a length");
        order.swap(self.next, chosen);
        let user = order[self.next] as usize;
        self.next = (self.next + 1) % order.len();
        user
    }

    fn conclude(&mut self, user: usize, decided: Decision, draw: u64) {
        let strategy = &self.forecast.campaign().strategy;
        let limit = decided.user_limit(strategy);
        let count = limit.map(|(nth, _)| user * strategy.user_limits().len() + nth);
        let given = count.map_or(0, |count| self.buffers.given[count]);
        let decision = decided.after_given(strategy, given);
        let wanted = decision.wants();
        let unit = wanted.is_some_and(|award| self.take_unit(award.0, draw));
        let outcome = decision.conclude(strategy, unit);
        let fell_back = outcome.rule == Rule::Luck;
        self.figures.made += 1;
        let given = &mut self.figures.awards[outcome.award.0];
        given.given += 1;
        given.as_fallback += u64::from(fell_back);
        if let Some(range) = outcome.points(strategy) {
            let sum = range.least().hundredths() + range.most().hundredths();
            self.figures.points_doubled += u128::from(sum);
        }
        let is_limited = strategy.award(outcome.award).count.is_some();
        given.issued += u64::from(outcome.stocked || !is_limited);
        if fell_back {
            let drawn = &mut self.figures.awards[decision.drawn().0];
            match (wanted, limit) {
                (Some(_), _) => drawn.gone += 1,
                (None, Some(_)) => drawn.limited += 1,
                (None, None) => drawn.locked += 1,
            }
        } else if let Some(count) = count {
            self.buffers.given[count] += 1;
        }
        if decision.chosen_by() == Rule::Weight {
            self.count_guarantee(decision.account.used, fell_back);
        }
    }

    fn take_unit(&mut self, award: usize, draw: u64) -> bool {
        let left = &mut self.buffers.left[award];
        if *left == 0 {
            return false;
        }
        *left -= 1;
        if *left == 0 {
            self.last_units[award] = Some(draw);
        }
        true
    }

    fn count_guarantee(&mut self, ordinal: u32, fell_back: bool) {
        let groups = self.forecast.campaign().strategy.weight_groups();
        let group = groups.binary_search_by_key(&ordinal, |group| group.ordinal);
        let guarantee = &mut self.figures.guarantees[group.expect("the rule has this threshold")];
        guarantee.reached += 1;
        guarantee.fell_back += u64::from(fell_back);
    }

    fn end(mut self) -> FinishedRun {
        let locks = self.forecast.locks();
        for person in &self.buffers.people {
            for (lock, opened) in locks.iter().zip(&mut self.figures.opened) {
                // The draw that opens it is the one after so many others.
                *opened += u64::from(person.day_used_max > lock.draws);
            }
        }
        let awards = &self.forecast.campaign().strategy.awards;
        let costs = awards.iter().zip(&self.figures.awards);
        self.figures.cost_minor = costs
            .map(|(award, counts)| u128::from(award.cost_minor) * u128::from(counts.given))
            .sum();
        FinishedRun {
            figures: self.figures,
            last_units: self.last_units,
        }
    }
}

/// An award without units is gone before the first draw.
fn gone_at_first(award: &Award) -> Option<u64> {
    (award.count == Some(0)).then_some(0)
}
