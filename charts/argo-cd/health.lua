-- The health of every kind of Fanfare, by the conditions that it writes (kstatus). A status about a former generation says nothing.
local health = { status = "Progressing", message = "the controller has not looked at it yet" }
local status = obj.status
if status == nil or status.conditions == nil then
  return health
end
if status.observedGeneration ~= nil and status.observedGeneration ~= obj.metadata.generation then
  return health
end
local condition = {}
for _, each in ipairs(status.conditions) do
  condition[each.type] = each
end
local function holds(kind)
  return condition[kind] ~= nil and condition[kind].status == "True"
end
local annotations = obj.metadata.annotations or {}
if holds("Stalled") then
  return { status = "Degraded", message = condition.Stalled.message }
end
if annotations["fanfare.dev/suspended"] ~= nil then
  return { status = "Suspended", message = annotations["fanfare.dev/suspended"] }
end
if obj.spec ~= nil and obj.spec.suspend == true then
  return { status = "Suspended", message = "spec.suspend" }
end
if holds("Ready") then
  return { status = "Healthy", message = condition.Ready.message }
end
if condition.Ready ~= nil then
  health.message = condition.Ready.message
end
return health
