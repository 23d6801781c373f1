"""Holds what the controller may do against what it did: rights.py ACCOUNT AUDIT.log ROLES.json

ACCOUNT is the name of its user, ROLES.json what `kubectl get --output json` says of the roles that are bound to it. Prints one line for
each right that nothing needed and each call that was refused or that no role of the chart grants; nothing where they agree.
"""

import json
import sys

# What every account may ask of an API server, by no role of ours.
EVERYBODY = {("authorization.k8s.io", "selfsubjectaccessreviews", "create")}
# Rights that are needed and do not show in the log of a short test.
UNSEEN = {
    ("events.k8s.io", "events", "patch"): "an event that comes again is counted",
    ("", "secrets", "update"): "a certificate is renewed in the Secret that stands, after weeks",
    ("admissionregistration.k8s.io", "validatingwebhookconfigurations", "create"): "it is applied: logged as patch",
}


def granted(roles):
    for role in roles["items"]:
        for rule in role["rules"]:
            for group in rule["apiGroups"]:
                for resource in rule["resources"]:
                    for verb in rule["verbs"]:
                        yield group, resource, verb


def calls(account, log):
    """The rights that calls needed, and the answers."""
    for line in log:
        event = json.loads(line)
        what = event.get("objectRef", {})
        if event["user"]["username"] != account or "resource" not in what:
            continue
        resource = "/".join(filter(None, [what["resource"], what.get("subresource")]))
        yield (what.get("apiGroup", ""), resource, event["verb"]), event.get("responseStatus", {}).get("code")


def main():
    account, audit, roles = sys.argv[1:]
    with open(roles, encoding="utf-8") as file:
        may = set(granted(json.load(file)))
    with open(audit, encoding="utf-8") as file:
        did = list(calls(account, file))
    used = {right for right, _ in did} - EVERYBODY
    for right in sorted({right for right, code in did if code == 403}):
        print("refused:", *right)
    for right in sorted(used - may):
        print("not granted by the chart:", *right)
    for right in sorted(may - used - UNSEEN.keys()):
        print("granted and never needed:", *right)
    print(f"{len(may)} rights, {len(used)} seen in {len(did)} calls", file=sys.stderr)


main()
