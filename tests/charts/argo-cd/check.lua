-- Runs the health and the actions of charts/argo-cd over fixtures: check.lua HEALTH.lua ACTIONS-FOLDER
-- Prints what is otherwise than expected, and fails then. Lua 5.1, as Argo CD's interpreter is.

local health_file, actions = arg[1], arg[2]
local wrong, ran = 0, 0

local function run(file, object)
  local chunk = assert(loadfile(file))
  setfenv(chunk, setmetatable({ obj = object }, { __index = _G }))
  return chunk()
end

local function check(what, is, should)
  ran = ran + 1
  if is ~= should then
    print(what .. ": " .. tostring(is) .. ", not " .. tostring(should))
    wrong = wrong + 1
  end
end

local function campaign(conditions, annotations, spec, observed)
  local all = {}
  for kind, status in pairs(conditions or {}) do
    table.insert(all, { type = kind, status = status, message = kind .. " says why" })
  end
  return {
    kind = "Campaign",
    metadata = { generation = 2, annotations = annotations },
    spec = spec or {},
    status = conditions and { observedGeneration = observed or 2, conditions = all } or nil,
  }
end

local READY = { Ready = "True", Reconciling = "False", Stalled = "False" }
local WAITS = { Ready = "False", Reconciling = "True", Stalled = "False" }
local WRONG = { Ready = "False", Reconciling = "False", Stalled = "True" }
local BY_HAND = { ["fanfare.dev/suspended"] = "wrong price" }

for _, case in ipairs({
  { "nobody has looked at it", campaign(), "Progressing" },
  { "what is served", campaign(READY), "Healthy", "Ready says why" },
  { "a status about a former generation", campaign(READY, nil, nil, 1), "Progressing" },
  { "something that it names is missing", campaign(WAITS), "Progressing", "Ready says why" },
  { "a wrong specification", campaign(WRONG), "Degraded", "Stalled says why" },
  { "suspended by hand", campaign(READY, BY_HAND), "Suspended", "wrong price" },
  { "suspended in Git", campaign(READY, nil, { suspend = true }), "Suspended" },
  { "suspended and wrong", campaign(WRONG, BY_HAND), "Degraded" },
}) do
  local answer = run(health_file, case[2])
  check(case[1], answer.status, case[3])
  if case[4] then
    check(case[1] .. ", message", answer.message, case[4])
  end
end

local function offered(object)
  return run(actions .. "/discovery.lua", object)
end
check("what runs can be suspended", offered(campaign(READY)).suspend.disabled, false)
check("what runs cannot be resumed", offered(campaign(READY)).resume.disabled, true)
check("what is suspended can be resumed", offered(campaign(READY, BY_HAND)).resume.disabled, false)

local stopped = run(actions .. "/suspend.lua", campaign(READY))
check("suspend says so", stopped.metadata.annotations["fanfare.dev/suspended"], "suspended in Argo CD")
local on = run(actions .. "/resume.lua", stopped)
check("resume takes it back", on.metadata.annotations["fanfare.dev/suspended"], nil)
check("resume says when", string.match(on.metadata.annotations["fanfare.dev/resumed"], "^%d+%-%d+%-%d+T.*Z$") ~= nil, true)
local looked = run(actions .. "/reconcile.lua", campaign(READY))
check("reconcile asks", looked.metadata.annotations["fanfare.dev/reconcile-requested-at"] ~= nil, true)
check("reconcile leaves the specification", next(looked.spec), nil)

if wrong > 0 or ran == 0 then
  os.exit(1)
end
