"""The program that Redis or Valkey runs for the counters: all that one message asks for, at one moment.

KEYS are the counters' keys. ARGV: the time in microseconds (-1: the server's own), the number of slots of a window, how long
a seed may take in milliseconds, and what is asked for as MessagePack. Out comes an answer for each thing asked, likewise.

A plain counter is a hash of `v`, what it holds; `u`, how much of it is settled; `g`, its mark; `p`, the mark of a seed under
way. A window is a hash of slots by number; `s`, their sum; `h`, the first that may count; `t`, when an even flow would have
got as far as it is. Beside them the server's run is kept that they are of: one that began again may have old ones.
"""

SCRIPT = """
local now, slots, longest_seed = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3]
if now < 0 then
  local time = redis.call('TIME')
  now = tonumber(time[1]) * 1000000 + tonumber(time[2])
end

local function text(number)
  return string.format('%.0f', number)
end

local function turn(key, width)
  local slot = math.floor(now * slots / width)
  local first = slot - slots
  local found = redis.call('HMGET', key, 's', 'h', 't')
  local sum, oldest = tonumber(found[1]) or 0, tonumber(found[2]) or slot
  if oldest < first - slots - 1 then
    redis.call('DEL', key)
    sum, oldest = 0, slot
  elseif oldest < first then
    local gone = {}
    for number = oldest, first - 1 do
      gone[#gone + 1] = text(number)
    end
    for _, amount in ipairs(redis.call('HMGET', key, unpack(gone))) do
      sum = sum - (tonumber(amount) or 0)
    end
    redis.call('HDEL', key, unpack(gone))
    oldest = first
    redis.call('HSET', key, 's', text(sum), 'h', text(oldest))
  end
  return {sum = sum, oldest = math.min(oldest, slot), slot = slot, even = tonumber(found[3]) or 0}
end

local function too_early(cell, claim)
  if claim.burst == 0 then
    return 0
  end
  local ahead = (math.max(claim.amount, claim.burst) - claim.amount) * claim.width / claim.limit
  return math.max(0, math.floor(cell.even - now - ahead))
end

local function wait(key, cell, claim)
  if claim.amount > claim.limit then
    return -1
  end
  local longest, over = too_early(cell, claim), cell.sum + claim.amount - claim.limit
  if over > 0 then
    local numbers = {}
    for number = cell.oldest, cell.slot do
      numbers[#numbers + 1] = text(number)
    end
    for index, amount in ipairs(redis.call('HMGET', key, unpack(numbers))) do
      if over <= 0 then
        break
      end
      if amount then
        over = over - tonumber(amount)
        local free = (cell.oldest + index + slots) * claim.width / slots
        longest = math.max(longest, math.ceil(free - now))
      end
    end
  end
  return longest
end

local function take(ask)
  local cells, absent, marks, left, refused, waits = {}, {}, {}, {}, -1, -1
  local claims = {}
  for index, given in ipairs(ask[2]) do
    local claim = {key = KEYS[given[1]], amount = given[2], limit = given[3], expires = given[4],
                   width = given[5], burst = given[6], seeded = given[7], needed = given[8]}
    claims[index] = claim
    if claim.width > 0 then
      cells[index] = turn(claim.key, claim.width)
      marks[index] = 0
    else
      local found = redis.call('HMGET', claim.key, 'v', 'g', 'p')
      if found[1] then
        cells[index] = {sum = tonumber(found[1]), mark = tonumber(found[2])}
        marks[index] = 0
      elseif claim.seeded then
        local mark = tonumber(found[3])
        if not mark then
          mark = ask[3]
          redis.call('HSET', claim.key, 'p', text(mark))
          redis.call('PEXPIRE', claim.key, longest_seed)
        end
        absent[#absent + 1] = index - 1
        marks[index] = mark
      else
        cells[index] = {sum = 0, mark = ask[3], new = true}
        marks[index] = 0
      end
    end
  end
  if #absent > 0 then
    return {-1, absent, {}, marks, -1}
  end
  for index, claim in ipairs(claims) do
    local cell = cells[index]
    local over = claim.limit >= 0 and cell.sum + claim.needed > claim.limit
    if claim.needed > 0 and (over or (claim.width > 0 and too_early(cell, claim) > 0)) then
      refused = index - 1
      if claim.width > 0 then
        waits = wait(claim.key, cell, claim)
      end
      break
    end
  end
  for index, claim in ipairs(claims) do
    local cell = cells[index]
    if refused < 0 then
      cell.sum = cell.sum + claim.amount
      if claim.width > 0 then
        redis.call('HINCRBY', claim.key, text(cell.slot), text(claim.amount))
        redis.call('HSET', claim.key, 's', text(cell.sum), 'h', text(cell.oldest))
        if claim.burst > 0 then
          local even = math.max(cell.even, now) + claim.amount * claim.width / claim.limit
          redis.call('HSET', claim.key, 't', text(even))
        end
        redis.call('PEXPIRE', claim.key, text(math.ceil(claim.width / 500)))
        marks[index] = cell.slot
      else
        redis.call('HSET', claim.key, 'v', text(cell.sum))
        if cell.new then
          redis.call('HSET', claim.key, 'u', '0', 'g', text(cell.mark))
          if claim.expires >= 0 then
            redis.call('PEXPIRE', claim.key, text(math.max(1, claim.expires)))
          end
        end
        marks[index] = cell.mark
      end
    end
    left[index] = math.max(0, claim.limit - cell.sum)
  end
  return {refused, absent, left, refused < 0 and marks or {}, waits}
end

local function change(ask)
  local settled = {}
  for index, given in ipairs(ask[2]) do
    local key, delta, mark, used, width = KEYS[given[1]], given[2], given[3], given[4], given[5]
    settled[index] = false
    if width > 0 then
      local oldest = tonumber(redis.call('HGET', key, 'h'))
      if oldest and mark >= oldest then
        redis.call('HINCRBY', key, text(mark), text(delta))
        redis.call('HINCRBY', key, 's', text(delta))
      end
    else
      local now_mark = tonumber(redis.call('HGET', key, 'g'))
      if now_mark then
        redis.call('HINCRBY', key, 'v', text(delta))
        local all = redis.call('HINCRBY', key, 'u', text(used))
        settled[index] = (mark == 0 or mark == now_mark) and all
      end
    end
  end
  return settled
end

local function seed(ask)
  local key, value, settled, mark, expires = KEYS[ask[2]], ask[3], ask[4], ask[5], ask[6]
  local found = redis.call('HMGET', key, 'v', 'g', 'p')
  if found[1] then
    return mark == 0 or mark == tonumber(found[2])
  end
  if mark ~= 0 and mark ~= tonumber(found[3]) then
    return false
  end
  redis.call('DEL', key)
  redis.call('HSET', key, 'v', text(value), 'u', text(settled), 'g', text(mark == 0 and ask[7] or mark))
  if expires >= 0 then
    redis.call('PEXPIRE', key, text(math.max(1, expires)))
  end
  return true
end

local function value(ask)
  return tonumber(redis.call('HGET', KEYS[ask[2]], 'v')) or false
end

local function drop(ask)
  for _, number in ipairs(ask[2]) do
    redis.call('DEL', KEYS[number])
  end
  return true
end

local function run(ask)
  local told = redis.pcall('INFO', 'server')
  local now_run = type(told) == 'string' and string.match(told, 'run_id:(%w+)')
  local known = redis.call('GET', KEYS[ask[2]])
  redis.call('SET', KEYS[ask[2]], known or '') -- a server that takes no writes is out of reach, too
  return now_run and known ~= now_run and now_run or false
end

local function know(ask)
  redis.call('SET', KEYS[ask[2]], ask[3])
  return true
end

local does = {take = take, change = change, seed = seed, value = value, drop = drop, run = run, know = know}
local answers = {}
for index, ask in ipairs(cmsgpack.unpack(ARGV[4])) do
  answers[index] = does[ask[1]](ask)
end
return cmsgpack.pack(answers)
"""
