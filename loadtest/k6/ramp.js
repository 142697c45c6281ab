// Rises from nothing to RATE draws a second, stays there, and goes down again. Arrivals do not
// wait for answers: a slow server gets no fewer.
import { draw, number, text, thresholds, user, won } from './lib/drawbridge.js';

const rate = number('RATE', 500);
const step = text('STEP', '30s');

export const options = {
  scenarios: {
    ramp: {
      executor: 'ramping-arrival-rate',
      startRate: 1,
      timeUnit: '1s',
      preAllocatedVUs: number('VUS', 200),
      stages: [
        { target: rate, duration: step },
        { target: rate, duration: step },
        { target: 0, duration: step },
      ],
    },
  },
  thresholds: thresholds(100),
};

export default function () {
  won(draw(user()));
}
