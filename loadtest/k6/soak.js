// RATE draws a second for a long time: what leaks or slows down with what is stored shows here.
import { account, draw, number, text, thresholds, user, won } from './lib/drawbridge.js';

export const options = {
  scenarios: {
    soak: {
      executor: 'constant-arrival-rate',
      rate: number('RATE', 200),
      timeUnit: '1s',
      duration: text('DURATION', '2h'),
      preAllocatedVUs: number('VUS', 100),
    },
  },
  thresholds: thresholds(100),
};

export default function () {
  const who = user();
  won(draw(who));
  // Players look at what they have left now and then.
  if (__ITER % 10 === 0) {
    account(who);
  }
}
