#!/usr/bin/env python3
"""Exhaustive check of how stock is taken, issued and given back (docs/design/stock.md), in small instances.

Lanes take units on one or two stock servers under a grant, commit on their shards and settle; sweeper, reclaim,
fold, rebuilders and operators work beside them. Requests travel: a take or a commit may land after its lane has
given up on it. Faults: a lane gives up waiting or crashes at any step; the first server loses its keys (FLUSHALL) or
is replaced by an older copy of itself (fail-over). Every interleaving is visited.

Checked: never more units of a segment issued than there are; no verdict that is not so; and where nothing can move
any more: left + issued = units, no grant open, no receipt left.

    stock_model.py               every instance, then every broken rule, which must be found
    stock_model.py INSTANCE      one instance
    stock_model.py INSTANCE RULE one broken rule there
"""
import sys
import time
from collections import deque, namedtuple

# Of an instance: the server of each segment and its units, units a batch wants, batches of each lane, how often
# things go wrong (crashes, FLUSHALLs, fail-overs, given up waits), rebuilders, whether counters are folded, and
# what an operator does ("add", "withdraw" or "rebuild", or nothing).
Instance = namedtuple("Instance", "segments units wants batches faults rebuilders folds operation")
INSTANCES = {
    "one-server": Instance((0,), (1,), 1, (1, 1), (0, 1, 0, 1), 1, False, ""),
    "fail-over": Instance((0,), (1,), 1, (1, 1), (0, 0, 1, 1), 1, False, ""),
    "two-rebuilders": Instance((0,), (1,), 1, (1,), (0, 1, 1, 0), 2, False, ""),
    "crashes": Instance((0,), (1,), 1, (1, 1), (1, 1, 0, 1), 1, False, ""),
    "two-batches": Instance((0,), (1,), 1, (2, 1), (0, 1, 0, 1), 1, False, ""),
    "two-servers": Instance((0, 1), (1, 1), 2, (1, 1), (0, 1, 0, 1), 1, False, ""),
    "segments": Instance((0, 0), (1, 1), 2, (1, 1), (0, 1, 0, 1), 1, False, ""),
    "folding": Instance((0,), (2,), 1, (2,), (1, 1, 0, 0), 1, True, ""),
    "adding": Instance((0,), (1,), 1, (1, 1), (0, 2, 0, 0), 1, False, "add"),
    "withdrawing": Instance((0,), (2,), 1, (1,), (0, 1, 0, 0), 1, False, "withdraw"),
    "asked-for": Instance((0,), (1,), 1, (1, 1), (1, 0, 0, 0), 1, False, "rebuild"),
}
# A rule, taken away, and the instance in which that must be found.
RULES = {
    "no_epoch": "one-server",        # a commit is not fenced by the epoch
    "no_run_id": "fail-over",       # a process that was not registered is trusted
    "no_void": "one-server",         # a void receipt does not stop its commit
    "no_behind": "two-rebuilders",       # a server behind the meta database is not rebuilt
    "give_back_twice": "one-server",  # what is not open any more is given back all the same
    "early_sum": "one-server",       # a shard counts before it raises its epoch
    "reuse_id": "fail-over",        # a take without an answer is sent again under its grant
    "look_only": "one-server",       # a verdict looks and gives back, and voids nothing
    "verdict_by_receipt": "one-server",  # a verdict goes by the receipt, which others delete, not by the order
    "reclaim_open": "crashes",       # the job deletes receipts whose grants may be open
    "lane_deletes_open": "crashes",  # a lane deletes receipts before their grants are closed
    "reclaim_past_epochs": "asked-for",  # the job takes grants of past epochs for closed, unasked
    "reclaim_one_server": "two-servers",  # the job asks one of the servers only
    "void_per_server": "two-servers",  # the sweeper's void forbids one server's part only
    "fold_in_two": "folding",        # a fold adds and deletes in two transactions
    "fold_unlocked": "folding",      # a fold deletes a counter that has grown since it was read
    "add_twice": "adding",           # an addition is applied as often as it comes
    "add_late": "adding",            # an addition is applied in a later epoch, which has counted it
    "withdraw_twice": "withdrawing",  # a withdrawal takes units as often as it comes
    "withdraw_late": "withdrawing",  # a withdrawal is done in whatever epoch it meets
    "note_late": "withdrawing",      # what was withdrawn in a past epoch lowers the totals
}
EPOCHS = 4  # a bound for the search only

Server = namedtuple("Server", "inc epoch left open done")  # done: what an operation did in this epoch
Shard = namedtuple("Shard", "epochs receipts counters folded orders")
Lane = namedtuple("Lane", "pc g got n todo")
State = namedtuple("State", "servers copy meta shards lanes sweeper reclaimer rebuilders operator faults air lied")
IDLE = ("idle",)


def put(tup, i, v):
    return tup[:i] + (v,) + tup[i + 1:]


def plus(counts, parts, sign=1):
    counts = list(counts)
    for segment in parts:
        counts[segment] += sign
    return tuple(counts)


class Model:
    def __init__(self, instance, broken=""):
        self.i, self.broken = instance, broken
        self.servers = max(instance.segments) + 1
        self.of = [[s for s, at in enumerate(instance.segments) if at == server] for server in range(self.servers)]

    def start(self):
        i = self.i
        left = [tuple(u if at == server else 0 for at, u in zip(i.segments, i.units)) for server in range(self.servers)]
        zero = (0,) * len(i.segments)
        return State(
            servers=tuple(Server(0, 0, left[n], frozenset(), None) for n in range(self.servers)), copy=None,
            meta=(tuple((0, 0) for _ in range(self.servers)), i.units),
            shards=(Shard((0,) * self.servers, (), zero, zero, frozenset()),) * len(i.batches),
            lanes=tuple(Lane("idle", "", (), 0, ()) for _ in i.batches), sweeper=IDLE, reclaimer=IDLE,
            rebuilders=(IDLE,) * i.rebuilders, operator=IDLE if i.operation else ("done",), faults=i.faults, air=(),
            lied=False)

    def issued(self, s):
        total = [0] * len(self.i.segments)
        for shard in s.shards:
            for n, (counted, folded) in enumerate(zip(shard.counters, shard.folded)):
                total[n] += counted + folded
        return total

    def steps(self, s):
        for steps in (self.lane_steps, self.air_steps, self.sweeper_steps, self.reclaimer_steps, self.fold_steps,
                      self.rebuilder_steps, self.operator_steps, self.disasters):
            yield from steps(s)

    def trusted(self, s, n):
        return s.meta[0][n][1] == s.servers[n].inc or self.broken == "no_run_id"

    # Lanes: lane i is the only one of shard i.

    def lane_steps(self, s):
        for i, lane in enumerate(s.lanes):
            def to(lane, **changes):
                return s._replace(lanes=put(s.lanes, i, lane), **changes)
            idle = Lane("idle", "", (), lane.n, ())
            if lane.pc == "idle" and lane.n < self.i.batches[i]:
                order = tuple((i + k) % self.servers for k in range(self.servers))
                if self.trusted(s, order[0]):
                    g = f"{i}{lane.n}"
                    take = ("take", g, i, order[0], s.servers[order[0]].inc, self.i.wants)
                    yield "ask", to(Lane("asking", g, (), lane.n + 1, order), air=s.air + (take,))
            if lane.pc == "asking" and s.faults[3]:
                fewer = put(s.faults, 3, s.faults[3] - 1)
                if self.broken == "reuse_id":
                    again = ("take", lane.g, i, lane.todo[0], s.servers[lane.todo[0]].inc, self.i.wants)
                    yield "ask again", s._replace(air=s.air + (again,), faults=fewer)
                else:
                    yield "give up take", to(idle, faults=fewer)
            if lane.pc == "asking" and not any(a[0] == "take" and a[1] == lane.g for a in s.air):
                yield "connection lost", to(idle)
            if lane.pc == "took":
                yield "send commit", to(lane._replace(pc="sent"), air=s.air + (("commit", lane.g, i, lane.got),))
            if lane.pc == "sent" and s.faults[3]:
                yield "give up commit", to(lane._replace(pc="doubt"), faults=put(s.faults, 3, s.faults[3] - 1))
            if lane.pc == "doubt":
                yield self.verdict(s, i, lane, to, idle)
            if lane.pc == "settling":
                if not lane.todo or self.broken == "lane_deletes_open":
                    yield "delete receipt", to(idle, shards=put(s.shards, i, self.without(s.shards[i], lane.g)))
                if lane.todo:
                    n, e = lane.todo[0]
                    if self.trusted(s, n) and s.servers[n].epoch is not None:
                        closed = self.close(s.servers[n], lane.g, ())
                        rest = lane._replace(todo=lane.todo[1:]) if s.servers[n].epoch >= e else idle
                        yield "settle", to(rest, servers=put(s.servers, n, closed))
                    else:
                        yield "settle lost", to(idle)
            if lane.pc != "idle" and s.faults[0]:
                yield "crash", to(idle, faults=put(s.faults, 0, s.faults[0] - 1))

    def verdict(self, s, i, lane, to, idle):
        shard = s.shards[i]
        row = dict((g, v) for g, v, _ in shard.receipts).get(lane.g)
        there = row == "C" if self.broken == "verdict_by_receipt" else lane.g in shard.orders
        if there:
            return "was committed", to(lane._replace(pc="settling", todo=self.epochs_of(lane.got)))
        lied = s.lied or lane.g in shard.orders
        if self.broken == "look_only":
            servers = s.servers
            for n, _, _ in lane.got:
                if self.trusted(s, n):
                    servers = put(servers, n, self.close(servers[n], lane.g, True))
            return "gave back", to(idle, servers=servers, lied=lied)
        voided = shard if row else self.with_receipt(shard, lane.g, "V", ())
        return "voided", to(idle, shards=put(s.shards, i, voided), lied=lied)

    @staticmethod
    def epochs_of(got):
        return tuple((n, e) for n, e, _ in got)

    @staticmethod
    def with_receipt(shard, g, v, got):
        rest = tuple(r for r in shard.receipts if r[0] != g)
        return shard._replace(receipts=tuple(sorted(rest + ((g, v, got),))))

    @staticmethod
    def without(shard, g):
        return shard._replace(receipts=tuple(r for r in shard.receipts if r[0] != g or r[1] == "V"))

    @staticmethod
    def close(server, g, back):
        """The server without the grant; its units are back when its batch did not use them."""
        for note in server.open:
            if note[0] == g:
                left = plus(server.left, note[2]) if back else server.left
                return server._replace(left=left, open=server.open - {note})
        return server

    # Requests that travel.

    def air_steps(self, s):
        for k, request in enumerate(s.air):
            s2 = s._replace(air=s.air[:k] + s.air[k + 1:])
            yield getattr(self, request[0])(s2, *request[1:])

    def take(self, s, g, i, n, inc, wants):
        lane, server = s.lanes[i], s.servers[n]
        waits = lane.pc == "asking" and lane.g == g and lane.todo and lane.todo[0] == n
        if inc != server.inc:
            return "take dies", s
        known = [note for note in server.open if note[0] == g]
        if known and self.broken != "reuse_id":
            return "take: known", s
        parts = ()
        if server.epoch is not None:
            segments = self.of[n][i % len(self.of[n]):] + self.of[n][:i % len(self.of[n])]
            for segment in segments:
                parts += (segment,) * min(server.left[segment], wants - len(parts))
        if parts:
            note = (g, i, parts)
            if known:
                note = (g, i, known[0][2] + parts)
            server = server._replace(left=plus(server.left, parts, -1), open=server.open - set(known) | {note})
            s = s._replace(servers=put(s.servers, n, server))
        if not waits:
            return "take: late", s
        got = lane.got + ((n, server.epoch, parts),) if parts else lane.got
        todo, wants = lane.todo[1:], wants - len(parts)
        if wants and todo and self.trusted(s, todo[0]):
            again = ("take", g, i, todo[0], s.servers[todo[0]].inc, wants)
            return "take", s._replace(lanes=put(s.lanes, i, lane._replace(got=got, todo=todo)), air=s.air + (again,))
        lane = Lane("took", g, got, lane.n, ()) if got else Lane("idle", "", (), lane.n, ())
        return "take", s._replace(lanes=put(s.lanes, i, lane))

    def withdraw(self, s, e, inc):
        server = s.servers[0]
        if inc == server.inc and server.epoch is not None:
            s = s._replace(servers=put(s.servers, 0, self.withdrawn(server, e)))
        return "withdraw: late", s

    def withdrawn(self, server, e):
        """The server when a withdrawal that was decided on in epoch `e` has come."""
        if server.epoch != e and self.broken != "withdraw_late":
            return server
        if server.done is not None and self.broken != "withdraw_twice":
            return server
        given = min(1, server.left[0])
        return server._replace(left=put(server.left, 0, server.left[0] - given), done=given)

    def commit(self, s, g, i, got):
        lane, shard = s.lanes[i], s.shards[i]
        waits = lane.pc == "sent" and lane.g == g
        voids = [v for h, v, _ in shard.receipts if h == g]
        current = all(shard.epochs[n] == e for n, e, _ in got) or self.broken == "no_epoch"
        stopped = voids and self.broken != "no_void"
        if self.broken == "void_per_server":
            stopped = any(v == f"V{n}" for v in voids for n, _, _ in got[:1])
        if not current or stopped:
            idle = Lane("idle", "", (), lane.n, ())
            return "fenced", s._replace(lanes=put(s.lanes, i, idle)) if waits else s
        shard = self.with_receipt(shard, g, "C", got)._replace(orders=shard.orders | {g})
        for _, _, parts in got:
            shard = shard._replace(counters=plus(shard.counters, parts))
        s = s._replace(shards=put(s.shards, i, shard))
        if waits:
            lane = lane._replace(pc="settling", todo=self.epochs_of(got))
            s = s._replace(lanes=put(s.lanes, i, lane))
        return "commit", s

    # Jobs.

    def sweeper_steps(self, s):
        if s.sweeper == IDLE:
            for n, server in enumerate(s.servers):
                if self.trusted(s, n) and server.epoch is not None:
                    for g, i, parts in server.open:
                        yield "sweep", s._replace(sweeper=("seen", n, server.inc, g, i, parts))
            return
        pc, n, inc, g, i, rest = s.sweeper
        if pc == "seen":
            row = dict((h, v) for h, v, _ in s.shards[i].receipts).get(g)
            void = f"V{n}" if self.broken == "void_per_server" else "V"
            shards = s.shards if row else put(s.shards, i, self.with_receipt(s.shards[i], g, void, ()))
            yield "decide", s._replace(sweeper=("back", n, inc, g, i, (row or "V") if row == "C" else "V"), shards=shards)
            return
        server = s.servers[n]
        closed = self.close(server, g, rest == "V") if inc == server.inc else server
        if self.broken == "give_back_twice" and closed == server and rest == "V" and inc == server.inc:
            closed = server._replace(left=plus(server.left, (self.of[n][0],)))
        yield "close", s._replace(sweeper=IDLE, servers=put(s.servers, n, closed))

    def reclaimer_steps(self, s):
        if s.reclaimer == IDLE:
            for i, shard in enumerate(s.shards):
                for g, v, got in shard.receipts:
                    if v == "C":
                        if self.broken == "reclaim_open":
                            yield "reclaim", s._replace(shards=put(s.shards, i, self.without(shard, g)))
                        else:
                            todo = self.epochs_of(got)
                            todo = todo[:1] if self.broken == "reclaim_one_server" else todo
                            yield "reclaim", s._replace(reclaimer=("closing", i, g, todo))
            return
        _, i, g, todo = s.reclaimer
        if not todo:
            yield "reclaimed", s._replace(reclaimer=IDLE, shards=put(s.shards, i, self.without(s.shards[i], g)))
            return
        n, e = todo[0]
        server = s.servers[n]
        if self.broken == "reclaim_past_epochs" and s.shards[i].epochs[n] > e:
            yield "reclaim: past", s._replace(reclaimer=("closing", i, g, todo[1:]))
        elif self.trusted(s, n) and server.epoch is not None and server.epoch >= e:
            closed = put(s.servers, n, self.close(server, g, False))
            yield "reclaim: close", s._replace(reclaimer=("closing", i, g, todo[1:]), servers=closed)
        else:
            yield "reclaim: not now", s._replace(reclaimer=IDLE)

    def fold_steps(self, s):
        if not self.i.folds:
            return
        for i, shard in enumerate(s.shards):
            for n, count in enumerate(shard.counters):
                # A fold that is under way stands in `counters` as a pair only for the broken rules.
                if count and s.sweeper == IDLE and self.broken in ("fold_in_two", "fold_unlocked"):
                    yield "fold: read", s._replace(sweeper=("fold", i, n, count, None, None))
                elif count:
                    folded = shard._replace(counters=put(shard.counters, n, 0),
                                            folded=put(shard.folded, n, shard.folded[n] + count))
                    yield "fold", s._replace(shards=put(s.shards, i, folded))

    def rebuilder_steps(self, s):
        for r, rebuilder in enumerate(s.rebuilders):
            def to(rebuilder, **changes):
                return s._replace(rebuilders=put(s.rebuilders, r, rebuilder), **changes)
            server, (epoch, registered) = s.servers[0], s.meta[0][0]
            if rebuilder == IDLE:
                others = any(x != IDLE for k, x in enumerate(s.rebuilders) if k != r)
                behind = server.epoch is not None and server.epoch < epoch and not others and self.broken != "no_behind"
                asked = s.operator == ("asked",)
                if epoch < EPOCHS and (server.epoch is None or not self.trusted(s, 0) or behind or asked):
                    meta = (put(s.meta[0], 0, (epoch + 1, registered)), s.meta[1])
                    yield "rebuild", to(("raise", epoch + 1, server.inc, s.meta[1], 0), meta=meta,
                                        operator=("done",) if asked else s.operator)
                continue
            pc, e, inc, left, k = rebuilder
            if pc == "raise":
                def raised(shard):
                    return shard._replace(epochs=put(shard.epochs, 0, max(shard.epochs[0], e)))
                shards = put(s.shards, k, raised(s.shards[k]))
                if self.broken == "early_sum":
                    last = k == len(s.shards) - 1
                    shards = tuple(raised(shard) for shard in s.shards) if last else s.shards
                issued = [c + f for c, f in zip(s.shards[k].counters, s.shards[k].folded)]
                left = tuple(max(0, x - y) for x, y in zip(left, issued))
                last = k + 1 == len(s.shards)
                yield f"raise {k}", to(("set", e, inc, left, 0) if last else ("raise", e, inc, left, k + 1), shards=shards)
            if pc == "set":
                if inc == server.inc and (server.epoch is None or server.epoch < e):
                    here = tuple(x if n in self.of[0] else 0 for n, x in enumerate(left))
                    yield "set", to(("register", e, inc, (), 0),
                                    servers=put(s.servers, 0, Server(inc, e, here, frozenset(), None)))
                else:
                    yield "set: late", to(IDLE)
            if pc == "register":
                now = (epoch, inc) if epoch == e else (epoch, registered)
                yield "register", to(IDLE, meta=(put(s.meta[0], 0, now), s.meta[1]))

    # An operator adds or withdraws one unit of segment 0, which lies on server 0.

    def operator_steps(self, s):
        op, server, epoch = s.operator, s.servers[0], s.meta[0][0][0]
        if op == IDLE and self.i.operation == "rebuild":
            yield "ask for a rebuild", s._replace(operator=("asked",))
        elif op == IDLE:
            if self.i.operation == "add":
                meta = (s.meta[0], plus(s.meta[1], (0,)))
                yield "record", s._replace(operator=("deliver", epoch, 0), meta=meta)
            else:
                yield "record", s._replace(operator=("ask", epoch, 0))
        elif op[0] == "deliver":
            if self.trusted(s, 0) and server.epoch is not None:
                apply = server.epoch == op[1] or self.broken == "add_late" and server.epoch > op[1]
                if apply and (server.done is None or self.broken == "add_twice"):
                    server = server._replace(left=plus(server.left, (0,)), done=1)
                servers = put(s.servers, 0, server)
                yield "add, answer lost", s._replace(operator=("deliver", op[1], op[2] + 1), servers=servers) \
                    if op[2] < 1 else s._replace(servers=servers)
                if server.epoch >= op[1]:
                    yield "add", s._replace(operator=("done",), servers=servers)
        elif op[0] == "ask":
            # The epoch that it was seen to be missing in, then the server, then the totals.
            if self.trusted(s, 0) and server.epoch is not None:
                yield "decide to withdraw", s._replace(operator=("withdraw", epoch, op[2]))
        elif op[0] == "withdraw":
            if not self.trusted(s, 0) or server.epoch is None:
                yield "withdraw: not now", s._replace(operator=("ask", 0, op[2]))
                return
            if op[2] < 1:
                late = ("withdraw", op[1], server.inc)
                yield "withdraw, unheard", s._replace(operator=("ask", 0, 1), air=s.air + (late,))
            server = self.withdrawn(server, op[1])
            known = server.epoch == op[1]
            yield "withdraw", s._replace(operator=("note", op[1], server.done) if known else ("ask", 0, op[2]),
                                         servers=put(s.servers, 0, server))
        elif op[0] == "note":
            if epoch == op[1] or self.broken == "note_late":
                meta = (s.meta[0], put(s.meta[1], 0, s.meta[1][0] - op[2]))
                yield "note", s._replace(operator=("done",), meta=meta)
            else:
                yield "note: late", s._replace(operator=("ask", 0, 1))

    def disasters(self, s):
        server = s.servers[0]
        if s.copy is None and s.faults[2]:
            yield "copy", s._replace(copy=server)
        if s.faults[1]:
            gone = Server(server.inc, None, (0,) * len(self.i.segments), frozenset(), None)
            yield "FLUSHALL", s._replace(servers=put(s.servers, 0, gone), faults=put(s.faults, 1, s.faults[1] - 1))
        if s.faults[2] and s.copy is not None:
            new = s.copy._replace(inc=server.inc + 1)
            yield "fail-over", s._replace(servers=put(s.servers, 0, new), faults=put(s.faults, 2, s.faults[2] - 1))

    # What must hold.

    CHOICES = {"copy", "FLUSHALL", "fail-over", "crash", "give up take", "give up commit", "ask again",
               "reclaim", "reclaim: not now", "add, answer lost", "withdraw, unheard", "ask for a rebuild"}

    def wrong(self, s):
        issued, total = self.issued(s), s.meta[1]
        if any(x > y for x, y in zip(issued, total)):
            return f"issued {issued} of {total}"
        return "a verdict said void of a batch that is committed" if s.lied else None

    def at_rest(self, s):
        # Reclaim rests when no receipt can go: a server that is lost and will not be rebuilt keeps its own.
        return all(x == IDLE for x in (s.sweeper, s.reclaimer)) and s.meta[0][0][0] < EPOCHS

    def wrong_at_rest(self, s):
        issued, total = self.issued(s), s.meta[1]
        left = [sum(server.left[n] for server in s.servers) for n in range(len(total))]
        if any(x + y != z for x, y, z in zip(left, issued, total)):
            return f"at rest {left} left and {issued} issued are not {total}"
        if any(server.open for server in s.servers):
            return "a grant stays open for ever"
        if any(v == "C" for shard in s.shards for _, v, _ in shard.receipts):
            return "a receipt stays for ever"
        return None


class Folding(Model):
    """With a fold that is under way between two steps: for the rules broken there."""

    def sweeper_steps(self, s):
        if s.sweeper[0] not in ("fold", "folded"):
            yield from super().sweeper_steps(s)
            return
        pc, i, n, count, _, _ = s.sweeper
        shard = s.shards[i]
        if pc == "fold" and self.broken == "fold_in_two":
            shard = shard._replace(folded=put(shard.folded, n, shard.folded[n] + count))
            yield "fold: add", s._replace(sweeper=("folded", i, n, count, None, None), shards=put(s.shards, i, shard))
        elif pc == "fold":
            shard = shard._replace(folded=put(shard.folded, n, shard.folded[n] + count), counters=put(shard.counters, n, 0))
            yield "fold: add and delete", s._replace(sweeper=IDLE, shards=put(s.shards, i, shard))
        else:
            shard = shard._replace(counters=put(shard.counters, n, shard.counters[n] - count))
            yield "fold: delete", s._replace(sweeper=IDLE, shards=put(s.shards, i, shard))


def search(instance, broken=""):
    """Visits every state; answers how many, and how the first wrong one was reached."""
    model = (Folding if instance.folds else Model)(instance, broken)
    start = model.start()
    seen, queue, rest = {start: None}, deque([start]), 0
    while queue:
        s = queue.popleft()
        following = [(name, t._replace(air=tuple(sorted(t.air)))) for name, t in model.steps(s)]
        wrong = model.wrong(s)
        if model.at_rest(s) and all(name in model.CHOICES or t == s for name, t in following):
            rest += 1
            wrong = wrong or model.wrong_at_rest(s) if not reclaims(s, model) else wrong
        if wrong:
            names, at = [], s
            while seen[at]:
                names.append(seen[at][0])
                at = seen[at][1]
            return len(seen), rest, f"{wrong}: " + " > ".join(names[::-1])
        for name, t in following:
            if t not in seen:
                seen[t] = (name, s)
                queue.append(t)
    return len(seen), rest, None


def reclaims(s, model):
    """Whether the reclaim job has something to do yet."""
    return any(v == "C" and all(model.trusted(s, n) and s.servers[n].epoch is not None and s.servers[n].epoch >= e
                                for n, e, _ in got)
               for shard in s.shards for _, v, got in shard.receipts)


def main():
    cases = [(name, "") for name in INSTANCES] + [(name, rule) for rule, name in RULES.items()]
    if len(sys.argv) > 1:
        cases = [(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "")]
    failed = False
    for name, rule in cases:
        began = time.monotonic()
        states, rest, wrong = search(INSTANCES[name], rule)
        failed |= bool(wrong) != bool(rule)
        found = wrong or f"holds, {rest} of them at rest"
        print(f"{name} {rule or '(all rules)'}: {states} states, {time.monotonic() - began:.0f} s: {found}", flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
