-- Requests for wrk out of a list: METHOD LIST COUNT BODYFILE STATUS PAUSE (see wrk.ts); no BODYFILE, no body.
-- COUNT 0 runs by wrk's clock; else exactly COUNT answers are timed, from the first request to the last answer.

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

-- A line is a path and header fields, with tabs between them.
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

-- Globals, because `done` runs elsewhere and finds them through the thread.
limit, seconds, wrong = 0, 0, 0

-- One request: wrk sends it without asking us.
local function always(method, line, body)
  local path, headers = split(line)
  wrk.method, wrk.path, wrk.body = method, path, body
  for name, value in pairs(headers) do wrk.headers[name] = value end
end

-- Few requests without a body, again and again: formatted once.
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

-- Every request once.
local function each_once(method, lines, body)
  local asked, answered, began = 0, 0, 0
  request = function()
    -- wrk asks once for itself, before it starts.
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
  -- Random, so that the connections do not send all at once.
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
