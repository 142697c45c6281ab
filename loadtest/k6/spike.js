// Eight o'clock: a calm, then at once SPIKE draws a second, then calm again. Refusals are allowed
// in the spike, as long as each says so and says when to come back; silence and faults are not.
import { check } from 'k6';
import http from 'k6/http';
import { Rate } from 'k6/metrics';
import { codeOf, draw, number, text, thresholds, user } from './lib/drawbridge.js';

const calm = number('RATE', 50);
const spike = number('SPIKE', 1000);
const calmFor = text('CALM', '10s');
const spikeFor = text('SPIKE_FOR', '20s');

// Too busy: asked too often, full queue, too many at once, too old.
const BUSY = [429, 503, 504];
http.setResponseCallback(http.expectedStatuses(200, ...BUSY));

// Share of draws that were made, of all that were asked for.
const drawnRate = new Rate('spike_drawn');

export const options = {
  scenarios: {
    spike: {
      executor: 'ramping-arrival-rate',
      startRate: calm,
      timeUnit: '1s',
      preAllocatedVUs: number('VUS', 500),
      stages: [
        { target: calm, duration: calmFor },
        { target: spike, duration: '1s' },
        { target: spike, duration: spikeFor },
        { target: calm, duration: '1s' },
        { target: calm, duration: calmFor },
      ],
    },
  },
  thresholds: thresholds(500, { spike_drawn: [`rate>=${text('DRAWN_MIN', '0.95')}`] }),
};

export default function () {
  const response = draw(user());
  const drawn = codeOf(response) === '0000';
  drawnRate.add(drawn);
  check(response, {
    'it was drawn, or refused with a time to come back': (response) =>
      drawn || (BUSY.includes(response.status) && Number(response.headers['Retry-After']) >= 1),
  });
}
