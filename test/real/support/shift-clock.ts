/** Preloaded with `--import` into a server under test. Shifts its clock by `PORTER_TEST_CLOCK_MS` milliseconds. */
const shiftMs = Number(process.env.PORTER_TEST_CLOCK_MS ?? 0);
const RealDate = Date;
const now = () => RealDate.now() + shiftMs;

globalThis.Date = new Proxy(RealDate, {
  construct: (target, args) => Reflect.construct(target, args.length === 0 ? [now()] : args),
  get: (target, key) => (key === 'now' ? now : Reflect.get(target, key)),
});
