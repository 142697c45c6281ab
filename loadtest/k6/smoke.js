// A few calls of each kind, to see that a server is there and plans fit it.
import { check } from 'k6';
import { account, draw, envelope, number, thresholds, user, won } from './lib/drawbridge.js';

export const options = {
  scenarios: {
    smoke: { executor: 'shared-iterations', vus: 2, iterations: number('ITERATIONS', 50), maxDuration: '1m' },
  },
  thresholds: thresholds(500),
};

export default function () {
  const who = user();
  won(draw(who));
  const key = `smoke-${Date.now()}-${__VU}-${__ITER}`;
  const first = draw(who, key);
  won(first);
  check(draw(who, key), {
    'the same key has the same answer, to the byte': (again) => again.body === first.body,
    'the answer names the key': (again) => (envelope(again) || {}).requestId === key,
  });
  check(account(who), {
    'the account knows of the draws': (response) => {
      const data = (envelope(response) || {}).data || {};
      return data.totalCount - data.totalCountSurplus >= 2;
    },
  });
}
