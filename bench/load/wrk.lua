-- Gives wrk its requests from a list. Arguments: METHOD LIST COUNT BODYFILE STATUS PAUSE (see wrk.ts).
-- If BODYFILE is empty, the requests have no body. If COUNT is 0, wrk stops after its own duration. Otherwise exactly
-- COUNT responses are timed, from the first request to the last response.

local ffi = require("ffi")
ffi.cdef [[
  typedef struct { long seconds; long nanoseconds; } moment;
  int clock_gettime(int clock, moment *now);
]]

local MONOTONIC = 1
local moment = ffi.new("moment")

local function now()
  ffi.C.clock_gettime(MONOTONIC, moment)
  return tonumber(moment.seconds) + tonumber(moment.nanoseconds) / 1e9
end

local function read(path)
  local file = assert(io.open(path, "rb"))
  local bytes = file:read("*a")
  file:close()
  return bytes
end

-- Splits a line into its path and its header fields, which are separated by tabs.
local function split(line)
  local path, headers = line:match("^[^\t]+"), {}
  for name, value in line:gmatch("\t([^:\t]+): ([^\t]*)") do headers[name] = value end
  return path, headers
end

local function lines_of(path)
  local lines = {}
  for line in read(path):gmatch("[^\n]+") do lines[#lines + 1] = line end
  return lines
end

-- Globals, because `done` runs in another Lua state and reads them with `thread:get`.
limit, seconds, wrong = 0, 0, 0

-- For one request without COUNT: wrk repeats it without calling this script.
local function always(method, line, body)
  local path, headers = split(line)
  wrk.method, wrk.path, wrk.body = method, path, body
  for name, value in pairs(headers) do wrk.headers[name] = value end
end

-- For several requests without COUNT: they are formatted once and repeated in turn, without a body.
local function in_turn(method, lines)
  local ready, asked = {}, 0
  for i, line in ipairs(lines) do
    local path, headers = split(line)
    ready[i] = wrk.format(method, path, headers)
  end
  request = function()
    asked = asked + 1
    return ready[(asked - 1) % #ready + 1]
  end
end

-- For a COUNT: sends every request once.
local function each_once(method, lines, body)
  local asked, answered, began = 0, 0, 0
  request = function()
    -- wrk calls this once before it starts, and does not send that request.
    if asked <= 1 then began = now() end
    local path, headers = split(lines[math.max(asked, 1)])
    asked = asked + 1
    return wrk.format(method, path, headers, body)
  end
  response = function(status)
    answered = answered + 1
    if status ~= expected then wrong = wrong + 1 end
    if answered ~= limit then return end
    seconds = now() - began
    wrk.thread:stop()
    io.stderr:write("counted\n")
  end
end

local threads = {}

function setup(thread)
  threads[#threads + 1] = thread
end

function init(args)
  local method, lines = args[1], lines_of(args[2])
  local body = args[4] ~= "" and read(args[4]) or nil
  limit, expected = tonumber(args[3]), tonumber(args[5])
  local pause = tonumber(args[6])
  -- The pause is random, so that the connections do not all send at the same time.
  if pause > 0 then delay = function() return math.random(0, 2 * pause) end end
  if limit > 0 then
    each_once(method, lines, body)
  elseif #lines == 1 then
    always(method, lines[1], body)
  else
    in_turn(method, lines)
  end
end

function done(summary, latency)
  local thread, errors = threads[1], summary.errors
  local counted = thread:get("seconds")
  io.write(string.format(
    '{"requests":%d,"seconds":%.6f,"wrong":%d,"broken":%d,"p50":%d,"p99":%d,"p999":%d}\n',
    counted > 0 and thread:get("limit") or summary.requests,
    counted > 0 and counted or summary.duration / 1e6,
    math.max(errors.status, thread:get("wrong")),
    errors.connect + errors.read + errors.write + errors.timeout,
    latency:percentile(50), latency:percentile(99), latency:percentile(99.9)
  ))
end
