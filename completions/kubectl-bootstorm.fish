# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_kubectl_bootstorm_global_optspecs
    string join \n kubeconfig= context= cluster= user= n/namespace= s/server= certificate-authority= tls-server-name= insecure-skip-tls-verify as= as-group= request-timeout= retry-timeout= o/output= no-headers color= q/quiet v/verbose log-file= log-level= config= show-config h/help V/version
end

function __fish_kubectl_bootstorm_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_kubectl_bootstorm_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_kubectl_bootstorm_using_subcommand
    set -l cmd (__fish_kubectl_bootstorm_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_needs_command" -l kubeconfig -d 'Kubeconfig file to use' -r -F
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_needs_command" -l context -d 'Context of the kubeconfig to use' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_needs_command" -l cluster -d 'Cluster of the kubeconfig to use' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_needs_command" -l user -d 'User of the kubeconfig to use' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_needs_command" -s n -l namespace -d 'Namespace in which the run\'s record lives; default is the context\'s' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_needs_command" -s s -l server -d 'Address of the API server' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_needs_command" -l certificate-authority -d 'File with the certificate authority of the API server' -r -F
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_needs_command" -l tls-server-name -d 'Name that the certificate of the API server must carry' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_needs_command" -l as -d 'User to impersonate' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_needs_command" -l as-group -d 'Group to impersonate (can be repeated)' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_needs_command" -l request-timeout -d 'Time limit for a single request, for example 30s; 0 means none' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_needs_command" -l retry-timeout -d 'Time for which a request that fails for a passing reason is repeated' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_needs_command" -s o -l output -d 'Format of the result' -r -f -a "table\t'Tables for people, as wide as the terminal'
wide\t'Tables with every VM and every milestone'
json\t'Everything, for programs'
yaml\t'Everything, for programs'
csv\t'One line per VM and phase, for spreadsheets'
markdown\t'A summary to paste into an issue or a page'
junit\t'One test case per VM and phase, for CI'
openmetrics\t'Statistics for Prometheus, as `OpenMetrics` text'
benchmark\t'The result document of the proposed `KubeVirt` benchmark specification'
name\t'One name per VM'
html\t'One offline page with charts, for people'"
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_needs_command" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_needs_command" -l log-file -d 'Append logs to this file' -r -F
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_needs_command" -l log-level -d 'Log level: error, warn, info, debug or trace' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_needs_command" -l config -d 'File with defaults for flags; default is bootstorm/config.yaml in the folder for configuration' -r -F
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_needs_command" -l insecure-skip-tls-verify -d 'Do not check the certificate of the API server; insecure'
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_needs_command" -l no-headers -d 'Leave out the headers of tables'
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_needs_command" -s q -l quiet -d 'Say nothing but the result'
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_needs_command" -s v -l verbose -d 'Log more to stderr (can be repeated)'
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_needs_command" -l show-config -d 'Show the value of every flag and where it comes from, and do nothing'
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_needs_command" -s V -l version -d 'Print version'
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_needs_command" -f -a "run" -d 'Run the whole test: setup, create, stop, storm, report'
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_needs_command" -f -a "setup" -d 'Look at the cluster, freeze the plan, make the namespaces'
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_needs_command" -f -a "create" -d 'Create and start every VM, and time each one: the baseline'
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_needs_command" -f -a "stop" -d 'Stop every VM, and wait until each instance is gone'
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_needs_command" -f -a "storm" -d 'Start every stopped VM at once, and time each one: the boot storm'
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_needs_command" -f -a "report" -d 'Show a run: every VM, statistics, storm against baseline, verdict'
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_needs_command" -f -a "compare" -d 'Compare runs: what differs between them, and by how much their times moved'
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_needs_command" -f -a "status" -d 'Show where runs stand, and what may come next'
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_needs_command" -f -a "cleanup" -d 'Delete what the run made, and verify that nothing is left'
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_needs_command" -f -a "dashboard" -d 'Make one offline HTML page out of saved results'
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_needs_command" -f -a "sandbox" -d 'Serve a simulated cluster on loopback until Ctrl-C'
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_needs_command" -f -a "completion" -d 'Print a completion script, or set up that kubectl completes this plugin'
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand run" -l ns-prefix -d 'Name of the run, and prefix of its namespaces' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand run" -l start -d 'Index of the first VM' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand run" -l end -d 'Index of the last VM, inclusive' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand run" -l vm-name -d 'Name of the VM in each namespace; {i} in it stands for the index' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand run" -l vms-per-namespace -d 'VMs in each namespace; with more than one, the VMs are called NAME-1, NAME-2 and so on' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand run" -l vm-namespace -d 'Namespace that exists already, for all VMs; the run neither makes nor deletes it' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand run" -l index-width -d 'Digits of indexes in names at least: 3 makes them 001, 002 and so on' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand run" -l single-node -d 'Run all VMs on one node: the one that --node-name names, or any that has room for all' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand run" -l node-name -d 'Run the VMs on this node (can be repeated)' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand run" -l node-selector -d 'Run the VMs on nodes with these labels, for example disk=ssd,zone=a' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand run" -l source -d 'Where disks come from; default is datasource:openshift-virtualization-os-images/rhel9' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand run" -l container-disk -d 'Container disk image that the VMs boot from, the same as --source containerdisk:IMAGE' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand run" -s f -l filename -d 'VirtualMachine manifest to use instead of the built-in one, YAML or JSON; - reads standard input' -r -F
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand run" -l storage-class -d 'Storage class of the VMs\' disks' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand run" -l disk-size -d 'Size of the boot disk; 30Gi unless a manifest says otherwise' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand run" -l access-mode -d 'Access mode of the VMs\' disks; default is what CDI knows about the storage class' -r -f -a "ReadWriteOnce\t'Pods of one node'
ReadWriteMany\t'Pods of all nodes, as live migration wants it'
ReadWriteOncePod\t'One pod'"
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand run" -l volume-mode -d 'Volume mode of the VMs\' disks; default is what CDI knows about the storage class' -r -f -a "Block\t'A device'
Filesystem\t'A folder with a file in it'"
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand run" -l cpu -d 'Virtual CPUs of each VM' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand run" -l memory -d 'Memory of each VM' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand run" -l instancetype -d 'Cluster-wide instance type, which decides about CPU and memory' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand run" -l preference -d 'Cluster-wide preference' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand run" -l ssh-key -d 'File with public keys that cloud-init lets into the guests' -r -F
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand run" -l user-data -d 'File with user data for cloud-init' -r -F
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand run" -l network -d 'Network of multus, as a second interface (can be repeated); without a namespace it is in default' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand run" -l termination-grace-period -d 'Time that a guest has to shut down' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand run" -l set -d 'Value of a placeholder in the manifest, such as `VM_MEMORY=4Gi` (can be repeated)' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand run" -l probe -d 'What counts as reachable: ping, tcp:PORT, agent, or several (the first decides), or none' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand run" -l probe-image -d 'Image of the prober pods; needs sh, and ping or nc' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand run" -l probers -d 'Prober pods to make; default is one for every 250 VMs' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand run" -l probe-toleration -d 'Taint that the prober pods tolerate, as KEY, KEY=VALUE or KEY=VALUE:EFFECT (can be repeated)' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand run" -l probe-pod -d 'Pod of yours to probe from, instead of pods that the run makes' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand run" -l namespace-batch-size -d 'Namespaces made at once; auto follows the number of nodes' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand run" -l concurrency -d 'API requests in flight at once; never limits what is observed' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand run" -l timeout -d 'Time limit for each VM to reach the goal of the phase' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand run" -l ping-timeout -d 'Time limit for each VM from Running until it answers its probes' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand run" -l phase-timeout -d 'Time limit for the whole phase; VMs that are not through by then have timed out' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand run" -l abort-if-failed -d 'Stop the phase when so many VMs (5), or such a share of them (10%), have failed or timed out' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand run" -l via -d 'How power is switched' -r -f -a "patch\t'Merge patch of spec.runStrategy'
subresource\t'The start and stop subresources, as virtctl uses them'"
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand run" -l explain -d 'Watch launcher pods and events too, to say where the time goes and why VMs fail' -r -f -a "true\t''
false\t''"
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand run" -l wave -d 'In waves: 50/10s is 50 VMs every 10 s, 50/ready the next 50 when each of the last ones is up or has failed' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand run" -l ramp -d 'One after the other: 100/60s is 100 VMs evenly over 60 s; more VMs go on at that pace, fewer end earlier' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand run" -l rate -d 'One after the other, so many in a second (20/s) or minute (90/m)' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand run" -l order -d 'Order of the VMs: name, random (or random:SEED), or node: the nodes on which they ran last take turns' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand run" -l repeat -d 'Stop and storm again until there are so many storms; what was cut short is continued' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand run" -l rest -d 'Time between a storm and the stop after it' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand run" -l run-timeout -d 'Time limit for the whole run; when it is over, the run ends as with Ctrl-C and can be continued' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand run" -l results-folder -d 'Folder for saved results' -r -F
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand run" -l storage-driver -d 'Label of the storage under test; becomes a folder of the saved results' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand run" -l fail-if -d 'Fail with exit code 4 if this holds, like \'storm.running.p95>60s\' or \'failed>1%\' (can be repeated)' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand run" -l dry-run -d 'Print what would be sent instead of sending it' -r -f -a "none\t'Send the requests'
client\t'Print what would be sent, change nothing'"
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand run" -l nodes -d 'Nodes of the simulated cluster; default is the profile\'s' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand run" -l profile -d 'Timing profile: a name or a YAML file' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand run" -l seed -d 'Seed of everything random' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand run" -l speed -d 'Divide every simulated duration by this' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand run" -l truth -d 'Write every state change and the instant it became visible to this file' -r -F
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand run" -l faults -d 'Let go wrong what this YAML or JSON file says' -r -F
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand run" -l kubeconfig -d 'Kubeconfig file to use' -r -F
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand run" -l context -d 'Context of the kubeconfig to use' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand run" -l cluster -d 'Cluster of the kubeconfig to use' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand run" -l user -d 'User of the kubeconfig to use' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand run" -s n -l namespace -d 'Namespace in which the run\'s record lives; default is the context\'s' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand run" -s s -l server -d 'Address of the API server' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand run" -l certificate-authority -d 'File with the certificate authority of the API server' -r -F
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand run" -l tls-server-name -d 'Name that the certificate of the API server must carry' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand run" -l as -d 'User to impersonate' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand run" -l as-group -d 'Group to impersonate (can be repeated)' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand run" -l request-timeout -d 'Time limit for a single request, for example 30s; 0 means none' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand run" -l retry-timeout -d 'Time for which a request that fails for a passing reason is repeated' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand run" -s o -l output -d 'Format of the result' -r -f -a "table\t'Tables for people, as wide as the terminal'
wide\t'Tables with every VM and every milestone'
json\t'Everything, for programs'
yaml\t'Everything, for programs'
csv\t'One line per VM and phase, for spreadsheets'
markdown\t'A summary to paste into an issue or a page'
junit\t'One test case per VM and phase, for CI'
openmetrics\t'Statistics for Prometheus, as `OpenMetrics` text'
benchmark\t'The result document of the proposed `KubeVirt` benchmark specification'
name\t'One name per VM'
html\t'One offline page with charts, for people'"
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand run" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand run" -l log-file -d 'Append logs to this file' -r -F
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand run" -l log-level -d 'Log level: error, warn, info, debug or trace' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand run" -l config -d 'File with defaults for flags; default is bootstorm/config.yaml in the folder for configuration' -r -F
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand run" -l skip-preflight -d 'Go on with warnings where the preflight would refuse'
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand run" -l warm-up -d 'The first storm warms caches up: it is shown, and does not count'
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand run" -l fresh -d 'Begin anew instead of going on with the storms of the last time'
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand run" -l no-storm -d 'End after create: measure the baseline only'
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand run" -l cleanup -d 'Delete everything at the end'
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand run" -s y -l yes -d 'Do not ask before the cleanup'
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand run" -l save-results -d 'Save results as JSON and CSV files, and the whole run as run.json'
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand run" -l sandbox -d 'Run on a simulated cluster instead of a real one'
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand run" -l insecure-skip-tls-verify -d 'Do not check the certificate of the API server; insecure'
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand run" -l no-headers -d 'Leave out the headers of tables'
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand run" -s q -l quiet -d 'Say nothing but the result'
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand run" -s v -l verbose -d 'Log more to stderr (can be repeated)'
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand run" -l show-config -d 'Show the value of every flag and where it comes from, and do nothing'
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand run" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand setup" -l ns-prefix -d 'Name of the run, and prefix of its namespaces' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand setup" -l start -d 'Index of the first VM' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand setup" -l end -d 'Index of the last VM, inclusive' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand setup" -l vm-name -d 'Name of the VM in each namespace; {i} in it stands for the index' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand setup" -l vms-per-namespace -d 'VMs in each namespace; with more than one, the VMs are called NAME-1, NAME-2 and so on' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand setup" -l vm-namespace -d 'Namespace that exists already, for all VMs; the run neither makes nor deletes it' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand setup" -l index-width -d 'Digits of indexes in names at least: 3 makes them 001, 002 and so on' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand setup" -l single-node -d 'Run all VMs on one node: the one that --node-name names, or any that has room for all' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand setup" -l node-name -d 'Run the VMs on this node (can be repeated)' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand setup" -l node-selector -d 'Run the VMs on nodes with these labels, for example disk=ssd,zone=a' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand setup" -l source -d 'Where disks come from; default is datasource:openshift-virtualization-os-images/rhel9' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand setup" -l container-disk -d 'Container disk image that the VMs boot from, the same as --source containerdisk:IMAGE' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand setup" -s f -l filename -d 'VirtualMachine manifest to use instead of the built-in one, YAML or JSON; - reads standard input' -r -F
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand setup" -l storage-class -d 'Storage class of the VMs\' disks' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand setup" -l disk-size -d 'Size of the boot disk; 30Gi unless a manifest says otherwise' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand setup" -l access-mode -d 'Access mode of the VMs\' disks; default is what CDI knows about the storage class' -r -f -a "ReadWriteOnce\t'Pods of one node'
ReadWriteMany\t'Pods of all nodes, as live migration wants it'
ReadWriteOncePod\t'One pod'"
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand setup" -l volume-mode -d 'Volume mode of the VMs\' disks; default is what CDI knows about the storage class' -r -f -a "Block\t'A device'
Filesystem\t'A folder with a file in it'"
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand setup" -l cpu -d 'Virtual CPUs of each VM' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand setup" -l memory -d 'Memory of each VM' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand setup" -l instancetype -d 'Cluster-wide instance type, which decides about CPU and memory' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand setup" -l preference -d 'Cluster-wide preference' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand setup" -l ssh-key -d 'File with public keys that cloud-init lets into the guests' -r -F
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand setup" -l user-data -d 'File with user data for cloud-init' -r -F
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand setup" -l network -d 'Network of multus, as a second interface (can be repeated); without a namespace it is in default' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand setup" -l termination-grace-period -d 'Time that a guest has to shut down' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand setup" -l set -d 'Value of a placeholder in the manifest, such as `VM_MEMORY=4Gi` (can be repeated)' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand setup" -l probe -d 'What counts as reachable: ping, tcp:PORT, agent, or several (the first decides), or none' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand setup" -l probe-image -d 'Image of the prober pods; needs sh, and ping or nc' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand setup" -l probers -d 'Prober pods to make; default is one for every 250 VMs' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand setup" -l probe-toleration -d 'Taint that the prober pods tolerate, as KEY, KEY=VALUE or KEY=VALUE:EFFECT (can be repeated)' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand setup" -l probe-pod -d 'Pod of yours to probe from, instead of pods that the run makes' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand setup" -s l -l selector -d 'Adopt the VMs with these labels, for example tier=web' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand setup" -l adopt-namespace -d 'Look for them in this namespace (can be repeated); default is the namespace of the record' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand setup" -l adopt-file -d 'Adopt the VMs on a list with lines NAMESPACE/NAME; - reads standard input' -r -F
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand setup" -l namespace-batch-size -d 'Namespaces made at once; auto follows the number of nodes' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand setup" -l dry-run -d 'Print what would be sent instead of sending it' -r -f -a "none\t'Send the requests'
client\t'Print what would be sent, change nothing'"
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand setup" -l kubeconfig -d 'Kubeconfig file to use' -r -F
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand setup" -l context -d 'Context of the kubeconfig to use' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand setup" -l cluster -d 'Cluster of the kubeconfig to use' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand setup" -l user -d 'User of the kubeconfig to use' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand setup" -s n -l namespace -d 'Namespace in which the run\'s record lives; default is the context\'s' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand setup" -s s -l server -d 'Address of the API server' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand setup" -l certificate-authority -d 'File with the certificate authority of the API server' -r -F
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand setup" -l tls-server-name -d 'Name that the certificate of the API server must carry' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand setup" -l as -d 'User to impersonate' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand setup" -l as-group -d 'Group to impersonate (can be repeated)' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand setup" -l request-timeout -d 'Time limit for a single request, for example 30s; 0 means none' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand setup" -l retry-timeout -d 'Time for which a request that fails for a passing reason is repeated' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand setup" -s o -l output -d 'Format of the result' -r -f -a "table\t'Tables for people, as wide as the terminal'
wide\t'Tables with every VM and every milestone'
json\t'Everything, for programs'
yaml\t'Everything, for programs'
csv\t'One line per VM and phase, for spreadsheets'
markdown\t'A summary to paste into an issue or a page'
junit\t'One test case per VM and phase, for CI'
openmetrics\t'Statistics for Prometheus, as `OpenMetrics` text'
benchmark\t'The result document of the proposed `KubeVirt` benchmark specification'
name\t'One name per VM'
html\t'One offline page with charts, for people'"
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand setup" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand setup" -l log-file -d 'Append logs to this file' -r -F
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand setup" -l log-level -d 'Log level: error, warn, info, debug or trace' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand setup" -l config -d 'File with defaults for flags; default is bootstorm/config.yaml in the folder for configuration' -r -F
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand setup" -l adopt -d 'Storm on VMs that exist already instead of making some'
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand setup" -s A -l all-namespaces -d 'Look for them in all namespaces except those of the cluster itself'
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand setup" -l include-halted -d 'Take VMs along that are off; the storm starts them, cleanup stops them again'
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand setup" -s y -l yes -d 'Adopt without asking'
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand setup" -l skip-preflight -d 'Go on with warnings where the preflight would refuse'
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand setup" -l insecure-skip-tls-verify -d 'Do not check the certificate of the API server; insecure'
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand setup" -l no-headers -d 'Leave out the headers of tables'
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand setup" -s q -l quiet -d 'Say nothing but the result'
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand setup" -s v -l verbose -d 'Log more to stderr (can be repeated)'
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand setup" -l show-config -d 'Show the value of every flag and where it comes from, and do nothing'
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand setup" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand create" -l ns-prefix -d 'Name of the run, and prefix of its namespaces' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand create" -l concurrency -d 'API requests in flight at once; never limits what is observed' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand create" -l timeout -d 'Time limit for each VM to reach the goal of the phase' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand create" -l ping-timeout -d 'Time limit for each VM from Running until it answers its probes' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand create" -l phase-timeout -d 'Time limit for the whole phase; VMs that are not through by then have timed out' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand create" -l abort-if-failed -d 'Stop the phase when so many VMs (5), or such a share of them (10%), have failed or timed out' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand create" -l via -d 'How power is switched' -r -f -a "patch\t'Merge patch of spec.runStrategy'
subresource\t'The start and stop subresources, as virtctl uses them'"
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand create" -l explain -d 'Watch launcher pods and events too, to say where the time goes and why VMs fail' -r -f -a "true\t''
false\t''"
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand create" -l wave -d 'In waves: 50/10s is 50 VMs every 10 s, 50/ready the next 50 when each of the last ones is up or has failed' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand create" -l ramp -d 'One after the other: 100/60s is 100 VMs evenly over 60 s; more VMs go on at that pace, fewer end earlier' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand create" -l rate -d 'One after the other, so many in a second (20/s) or minute (90/m)' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand create" -l order -d 'Order of the VMs: name, random (or random:SEED), or node: the nodes on which they ran last take turns' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand create" -l start -d 'Index of the first VM; must agree with the setup' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand create" -l end -d 'Index of the last VM; must agree with the setup' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand create" -l vm-name -d 'Name of the VMs; must agree with the setup' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand create" -l dry-run -d 'Print what would be sent instead of sending it' -r -f -a "none\t'Send the requests'
client\t'Print what would be sent, change nothing'"
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand create" -l results-folder -d 'Folder for saved results' -r -F
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand create" -l storage-driver -d 'Label of the storage under test; becomes a folder of the saved results' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand create" -l fail-if -d 'Fail with exit code 4 if this holds, like \'storm.running.p95>60s\' or \'failed>1%\' (can be repeated)' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand create" -l kubeconfig -d 'Kubeconfig file to use' -r -F
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand create" -l context -d 'Context of the kubeconfig to use' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand create" -l cluster -d 'Cluster of the kubeconfig to use' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand create" -l user -d 'User of the kubeconfig to use' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand create" -s n -l namespace -d 'Namespace in which the run\'s record lives; default is the context\'s' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand create" -s s -l server -d 'Address of the API server' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand create" -l certificate-authority -d 'File with the certificate authority of the API server' -r -F
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand create" -l tls-server-name -d 'Name that the certificate of the API server must carry' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand create" -l as -d 'User to impersonate' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand create" -l as-group -d 'Group to impersonate (can be repeated)' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand create" -l request-timeout -d 'Time limit for a single request, for example 30s; 0 means none' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand create" -l retry-timeout -d 'Time for which a request that fails for a passing reason is repeated' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand create" -s o -l output -d 'Format of the result' -r -f -a "table\t'Tables for people, as wide as the terminal'
wide\t'Tables with every VM and every milestone'
json\t'Everything, for programs'
yaml\t'Everything, for programs'
csv\t'One line per VM and phase, for spreadsheets'
markdown\t'A summary to paste into an issue or a page'
junit\t'One test case per VM and phase, for CI'
openmetrics\t'Statistics for Prometheus, as `OpenMetrics` text'
benchmark\t'The result document of the proposed `KubeVirt` benchmark specification'
name\t'One name per VM'
html\t'One offline page with charts, for people'"
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand create" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand create" -l log-file -d 'Append logs to this file' -r -F
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand create" -l log-level -d 'Log level: error, warn, info, debug or trace' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand create" -l config -d 'File with defaults for flags; default is bootstorm/config.yaml in the folder for configuration' -r -F
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand create" -l save-results -d 'Save results as JSON and CSV files, and the whole run as run.json'
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand create" -l halted -d 'Make the VMs and their disks without starting them; the first storm then measures their first boot'
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand create" -l insecure-skip-tls-verify -d 'Do not check the certificate of the API server; insecure'
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand create" -l no-headers -d 'Leave out the headers of tables'
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand create" -s q -l quiet -d 'Say nothing but the result'
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand create" -s v -l verbose -d 'Log more to stderr (can be repeated)'
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand create" -l show-config -d 'Show the value of every flag and where it comes from, and do nothing'
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand create" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand stop" -l ns-prefix -d 'Name of the run, and prefix of its namespaces' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand stop" -l concurrency -d 'API requests in flight at once; never limits what is observed' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand stop" -l timeout -d 'Time limit for each VM to reach the goal of the phase' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand stop" -l ping-timeout -d 'Time limit for each VM from Running until it answers its probes' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand stop" -l phase-timeout -d 'Time limit for the whole phase; VMs that are not through by then have timed out' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand stop" -l abort-if-failed -d 'Stop the phase when so many VMs (5), or such a share of them (10%), have failed or timed out' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand stop" -l via -d 'How power is switched' -r -f -a "patch\t'Merge patch of spec.runStrategy'
subresource\t'The start and stop subresources, as virtctl uses them'"
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand stop" -l explain -d 'Watch launcher pods and events too, to say where the time goes and why VMs fail' -r -f -a "true\t''
false\t''"
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand stop" -l wave -d 'In waves: 50/10s is 50 VMs every 10 s, 50/ready the next 50 when each of the last ones is up or has failed' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand stop" -l ramp -d 'One after the other: 100/60s is 100 VMs evenly over 60 s; more VMs go on at that pace, fewer end earlier' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand stop" -l rate -d 'One after the other, so many in a second (20/s) or minute (90/m)' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand stop" -l order -d 'Order of the VMs: name, random (or random:SEED), or node: the nodes on which they ran last take turns' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand stop" -l start -d 'Index of the first VM; must agree with the setup' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand stop" -l end -d 'Index of the last VM; must agree with the setup' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand stop" -l vm-name -d 'Name of the VMs; must agree with the setup' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand stop" -l dry-run -d 'Print what would be sent instead of sending it' -r -f -a "none\t'Send the requests'
client\t'Print what would be sent, change nothing'"
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand stop" -l results-folder -d 'Folder for saved results' -r -F
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand stop" -l storage-driver -d 'Label of the storage under test; becomes a folder of the saved results' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand stop" -l fail-if -d 'Fail with exit code 4 if this holds, like \'storm.running.p95>60s\' or \'failed>1%\' (can be repeated)' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand stop" -l kubeconfig -d 'Kubeconfig file to use' -r -F
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand stop" -l context -d 'Context of the kubeconfig to use' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand stop" -l cluster -d 'Cluster of the kubeconfig to use' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand stop" -l user -d 'User of the kubeconfig to use' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand stop" -s n -l namespace -d 'Namespace in which the run\'s record lives; default is the context\'s' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand stop" -s s -l server -d 'Address of the API server' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand stop" -l certificate-authority -d 'File with the certificate authority of the API server' -r -F
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand stop" -l tls-server-name -d 'Name that the certificate of the API server must carry' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand stop" -l as -d 'User to impersonate' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand stop" -l as-group -d 'Group to impersonate (can be repeated)' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand stop" -l request-timeout -d 'Time limit for a single request, for example 30s; 0 means none' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand stop" -l retry-timeout -d 'Time for which a request that fails for a passing reason is repeated' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand stop" -s o -l output -d 'Format of the result' -r -f -a "table\t'Tables for people, as wide as the terminal'
wide\t'Tables with every VM and every milestone'
json\t'Everything, for programs'
yaml\t'Everything, for programs'
csv\t'One line per VM and phase, for spreadsheets'
markdown\t'A summary to paste into an issue or a page'
junit\t'One test case per VM and phase, for CI'
openmetrics\t'Statistics for Prometheus, as `OpenMetrics` text'
benchmark\t'The result document of the proposed `KubeVirt` benchmark specification'
name\t'One name per VM'
html\t'One offline page with charts, for people'"
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand stop" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand stop" -l log-file -d 'Append logs to this file' -r -F
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand stop" -l log-level -d 'Log level: error, warn, info, debug or trace' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand stop" -l config -d 'File with defaults for flags; default is bootstorm/config.yaml in the folder for configuration' -r -F
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand stop" -l save-results -d 'Save results as JSON and CSV files, and the whole run as run.json'
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand stop" -l insecure-skip-tls-verify -d 'Do not check the certificate of the API server; insecure'
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand stop" -l no-headers -d 'Leave out the headers of tables'
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand stop" -s q -l quiet -d 'Say nothing but the result'
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand stop" -s v -l verbose -d 'Log more to stderr (can be repeated)'
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand stop" -l show-config -d 'Show the value of every flag and where it comes from, and do nothing'
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand stop" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand storm" -l ns-prefix -d 'Name of the run, and prefix of its namespaces' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand storm" -l concurrency -d 'API requests in flight at once; never limits what is observed' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand storm" -l timeout -d 'Time limit for each VM to reach the goal of the phase' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand storm" -l ping-timeout -d 'Time limit for each VM from Running until it answers its probes' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand storm" -l phase-timeout -d 'Time limit for the whole phase; VMs that are not through by then have timed out' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand storm" -l abort-if-failed -d 'Stop the phase when so many VMs (5), or such a share of them (10%), have failed or timed out' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand storm" -l via -d 'How power is switched' -r -f -a "patch\t'Merge patch of spec.runStrategy'
subresource\t'The start and stop subresources, as virtctl uses them'"
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand storm" -l explain -d 'Watch launcher pods and events too, to say where the time goes and why VMs fail' -r -f -a "true\t''
false\t''"
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand storm" -l wave -d 'In waves: 50/10s is 50 VMs every 10 s, 50/ready the next 50 when each of the last ones is up or has failed' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand storm" -l ramp -d 'One after the other: 100/60s is 100 VMs evenly over 60 s; more VMs go on at that pace, fewer end earlier' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand storm" -l rate -d 'One after the other, so many in a second (20/s) or minute (90/m)' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand storm" -l order -d 'Order of the VMs: name, random (or random:SEED), or node: the nodes on which they ran last take turns' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand storm" -l start -d 'Index of the first VM; must agree with the setup' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand storm" -l end -d 'Index of the last VM; must agree with the setup' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand storm" -l vm-name -d 'Name of the VMs; must agree with the setup' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand storm" -l dry-run -d 'Print what would be sent instead of sending it' -r -f -a "none\t'Send the requests'
client\t'Print what would be sent, change nothing'"
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand storm" -l results-folder -d 'Folder for saved results' -r -F
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand storm" -l storage-driver -d 'Label of the storage under test; becomes a folder of the saved results' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand storm" -l fail-if -d 'Fail with exit code 4 if this holds, like \'storm.running.p95>60s\' or \'failed>1%\' (can be repeated)' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand storm" -l repeat -d 'Stop and storm again until there are so many storms; what was cut short is continued' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand storm" -l rest -d 'Time between a storm and the stop after it' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand storm" -l goal -d 'What a storm must meet, like \'reachable.p95<120s\' or \'failed<=0\' (can be repeated, then all must hold)' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand storm" -l max -d 'Largest storm to try; default is all VMs' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand storm" -l min -d 'Smallest storm to try' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand storm" -l budget -d 'Time after which no other storm begins; what storms and stops took counts' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand storm" -l max-storms -d 'Storms at most' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand storm" -l kubeconfig -d 'Kubeconfig file to use' -r -F
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand storm" -l context -d 'Context of the kubeconfig to use' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand storm" -l cluster -d 'Cluster of the kubeconfig to use' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand storm" -l user -d 'User of the kubeconfig to use' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand storm" -s n -l namespace -d 'Namespace in which the run\'s record lives; default is the context\'s' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand storm" -s s -l server -d 'Address of the API server' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand storm" -l certificate-authority -d 'File with the certificate authority of the API server' -r -F
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand storm" -l tls-server-name -d 'Name that the certificate of the API server must carry' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand storm" -l as -d 'User to impersonate' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand storm" -l as-group -d 'Group to impersonate (can be repeated)' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand storm" -l request-timeout -d 'Time limit for a single request, for example 30s; 0 means none' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand storm" -l retry-timeout -d 'Time for which a request that fails for a passing reason is repeated' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand storm" -s o -l output -d 'Format of the result' -r -f -a "table\t'Tables for people, as wide as the terminal'
wide\t'Tables with every VM and every milestone'
json\t'Everything, for programs'
yaml\t'Everything, for programs'
csv\t'One line per VM and phase, for spreadsheets'
markdown\t'A summary to paste into an issue or a page'
junit\t'One test case per VM and phase, for CI'
openmetrics\t'Statistics for Prometheus, as `OpenMetrics` text'
benchmark\t'The result document of the proposed `KubeVirt` benchmark specification'
name\t'One name per VM'
html\t'One offline page with charts, for people'"
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand storm" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand storm" -l log-file -d 'Append logs to this file' -r -F
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand storm" -l log-level -d 'Log level: error, warn, info, debug or trace' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand storm" -l config -d 'File with defaults for flags; default is bootstorm/config.yaml in the folder for configuration' -r -F
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand storm" -l save-results -d 'Save results as JSON and CSV files, and the whole run as run.json'
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand storm" -l warm-up -d 'The first storm warms caches up: it is shown, and does not count'
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand storm" -l fresh -d 'Begin anew instead of going on with the storms of the last time'
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand storm" -l find-max -d 'Find the largest storm that meets the goal: storms of different sizes, each followed by a stop'
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand storm" -l insecure-skip-tls-verify -d 'Do not check the certificate of the API server; insecure'
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand storm" -l no-headers -d 'Leave out the headers of tables'
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand storm" -s q -l quiet -d 'Say nothing but the result'
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand storm" -s v -l verbose -d 'Log more to stderr (can be repeated)'
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand storm" -l show-config -d 'Show the value of every flag and where it comes from, and do nothing'
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand storm" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand report" -l ns-prefix -d 'Name of the run, and prefix of its namespaces' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand report" -l baseline -d 'Phase that counts as the baseline; default is create' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand report" -l storm -d 'Storm to be judged; default is the last one' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand report" -l from -d 'Show saved results instead: run.json, a report as JSON or YAML, or a folder of results; - is standard input' -r -F
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand report" -l results-folder -d 'Folder for saved results' -r -F
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand report" -l storage-driver -d 'Label of the storage under test; becomes a folder of the saved results' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand report" -l fail-if -d 'Fail with exit code 4 if this holds, like \'storm.running.p95>60s\' or \'failed>1%\' (can be repeated)' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand report" -l kubeconfig -d 'Kubeconfig file to use' -r -F
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand report" -l context -d 'Context of the kubeconfig to use' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand report" -l cluster -d 'Cluster of the kubeconfig to use' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand report" -l user -d 'User of the kubeconfig to use' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand report" -s n -l namespace -d 'Namespace in which the run\'s record lives; default is the context\'s' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand report" -s s -l server -d 'Address of the API server' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand report" -l certificate-authority -d 'File with the certificate authority of the API server' -r -F
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand report" -l tls-server-name -d 'Name that the certificate of the API server must carry' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand report" -l as -d 'User to impersonate' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand report" -l as-group -d 'Group to impersonate (can be repeated)' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand report" -l request-timeout -d 'Time limit for a single request, for example 30s; 0 means none' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand report" -l retry-timeout -d 'Time for which a request that fails for a passing reason is repeated' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand report" -s o -l output -d 'Format of the result' -r -f -a "table\t'Tables for people, as wide as the terminal'
wide\t'Tables with every VM and every milestone'
json\t'Everything, for programs'
yaml\t'Everything, for programs'
csv\t'One line per VM and phase, for spreadsheets'
markdown\t'A summary to paste into an issue or a page'
junit\t'One test case per VM and phase, for CI'
openmetrics\t'Statistics for Prometheus, as `OpenMetrics` text'
benchmark\t'The result document of the proposed `KubeVirt` benchmark specification'
name\t'One name per VM'
html\t'One offline page with charts, for people'"
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand report" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand report" -l log-file -d 'Append logs to this file' -r -F
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand report" -l log-level -d 'Log level: error, warn, info, debug or trace' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand report" -l config -d 'File with defaults for flags; default is bootstorm/config.yaml in the folder for configuration' -r -F
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand report" -l failures -d 'Show only what went wrong: VMs by cause, each with an example in its own words and commands that look further'
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand report" -l save-results -d 'Save results as JSON and CSV files, and the whole run as run.json'
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand report" -l insecure-skip-tls-verify -d 'Do not check the certificate of the API server; insecure'
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand report" -l no-headers -d 'Leave out the headers of tables'
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand report" -s q -l quiet -d 'Say nothing but the result'
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand report" -s v -l verbose -d 'Log more to stderr (can be repeated)'
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand report" -l show-config -d 'Show the value of every flag and where it comes from, and do nothing'
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand report" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand compare" -l min-effect -d 'Smallest change of a time that counts' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand compare" -l fail-if -d 'Fail with exit code 4 if this holds, like \'storm.running.p95>60s\' or \'failed>1%\' (can be repeated)' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand compare" -l kubeconfig -d 'Kubeconfig file to use' -r -F
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand compare" -l context -d 'Context of the kubeconfig to use' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand compare" -l cluster -d 'Cluster of the kubeconfig to use' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand compare" -l user -d 'User of the kubeconfig to use' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand compare" -s n -l namespace -d 'Namespace in which the run\'s record lives; default is the context\'s' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand compare" -s s -l server -d 'Address of the API server' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand compare" -l certificate-authority -d 'File with the certificate authority of the API server' -r -F
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand compare" -l tls-server-name -d 'Name that the certificate of the API server must carry' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand compare" -l as -d 'User to impersonate' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand compare" -l as-group -d 'Group to impersonate (can be repeated)' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand compare" -l request-timeout -d 'Time limit for a single request, for example 30s; 0 means none' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand compare" -l retry-timeout -d 'Time for which a request that fails for a passing reason is repeated' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand compare" -s o -l output -d 'Format of the result' -r -f -a "table\t'Tables for people, as wide as the terminal'
wide\t'Tables with every VM and every milestone'
json\t'Everything, for programs'
yaml\t'Everything, for programs'
csv\t'One line per VM and phase, for spreadsheets'
markdown\t'A summary to paste into an issue or a page'
junit\t'One test case per VM and phase, for CI'
openmetrics\t'Statistics for Prometheus, as `OpenMetrics` text'
benchmark\t'The result document of the proposed `KubeVirt` benchmark specification'
name\t'One name per VM'
html\t'One offline page with charts, for people'"
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand compare" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand compare" -l log-file -d 'Append logs to this file' -r -F
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand compare" -l log-level -d 'Log level: error, warn, info, debug or trace' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand compare" -l config -d 'File with defaults for flags; default is bootstorm/config.yaml in the folder for configuration' -r -F
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand compare" -l fail-if-worse -d 'Exit with code 4 if any run is worse than the first'
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand compare" -l force -d 'Compare runs with different numbers of VMs, or with times that are not valid, too'
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand compare" -l insecure-skip-tls-verify -d 'Do not check the certificate of the API server; insecure'
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand compare" -l no-headers -d 'Leave out the headers of tables'
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand compare" -s q -l quiet -d 'Say nothing but the result'
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand compare" -s v -l verbose -d 'Log more to stderr (can be repeated)'
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand compare" -l show-config -d 'Show the value of every flag and where it comes from, and do nothing'
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand compare" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand status" -l ns-prefix -d 'Name of the run, and prefix of its namespaces' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand status" -l kubeconfig -d 'Kubeconfig file to use' -r -F
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand status" -l context -d 'Context of the kubeconfig to use' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand status" -l cluster -d 'Cluster of the kubeconfig to use' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand status" -l user -d 'User of the kubeconfig to use' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand status" -s n -l namespace -d 'Namespace in which the run\'s record lives; default is the context\'s' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand status" -s s -l server -d 'Address of the API server' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand status" -l certificate-authority -d 'File with the certificate authority of the API server' -r -F
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand status" -l tls-server-name -d 'Name that the certificate of the API server must carry' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand status" -l as -d 'User to impersonate' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand status" -l as-group -d 'Group to impersonate (can be repeated)' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand status" -l request-timeout -d 'Time limit for a single request, for example 30s; 0 means none' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand status" -l retry-timeout -d 'Time for which a request that fails for a passing reason is repeated' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand status" -s o -l output -d 'Format of the result' -r -f -a "table\t'Tables for people, as wide as the terminal'
wide\t'Tables with every VM and every milestone'
json\t'Everything, for programs'
yaml\t'Everything, for programs'
csv\t'One line per VM and phase, for spreadsheets'
markdown\t'A summary to paste into an issue or a page'
junit\t'One test case per VM and phase, for CI'
openmetrics\t'Statistics for Prometheus, as `OpenMetrics` text'
benchmark\t'The result document of the proposed `KubeVirt` benchmark specification'
name\t'One name per VM'
html\t'One offline page with charts, for people'"
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand status" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand status" -l log-file -d 'Append logs to this file' -r -F
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand status" -l log-level -d 'Log level: error, warn, info, debug or trace' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand status" -l config -d 'File with defaults for flags; default is bootstorm/config.yaml in the folder for configuration' -r -F
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand status" -s A -l all-namespaces -d 'List the runs of all namespaces'
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand status" -l insecure-skip-tls-verify -d 'Do not check the certificate of the API server; insecure'
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand status" -l no-headers -d 'Leave out the headers of tables'
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand status" -s q -l quiet -d 'Say nothing but the result'
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand status" -s v -l verbose -d 'Log more to stderr (can be repeated)'
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand status" -l show-config -d 'Show the value of every flag and where it comes from, and do nothing'
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand status" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand cleanup" -l ns-prefix -d 'Name of the run, and prefix of its namespaces' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand cleanup" -l timeout -d 'Time limit for everything to be gone, and for adopted VMs to be as they were' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand cleanup" -l concurrency -d 'API requests in flight at once' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand cleanup" -l dry-run -d 'Print what would be sent instead of sending it' -r -f -a "none\t'Send the requests'
client\t'Print what would be sent, change nothing'"
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand cleanup" -l kubeconfig -d 'Kubeconfig file to use' -r -F
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand cleanup" -l context -d 'Context of the kubeconfig to use' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand cleanup" -l cluster -d 'Cluster of the kubeconfig to use' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand cleanup" -l user -d 'User of the kubeconfig to use' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand cleanup" -s n -l namespace -d 'Namespace in which the run\'s record lives; default is the context\'s' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand cleanup" -s s -l server -d 'Address of the API server' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand cleanup" -l certificate-authority -d 'File with the certificate authority of the API server' -r -F
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand cleanup" -l tls-server-name -d 'Name that the certificate of the API server must carry' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand cleanup" -l as -d 'User to impersonate' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand cleanup" -l as-group -d 'Group to impersonate (can be repeated)' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand cleanup" -l request-timeout -d 'Time limit for a single request, for example 30s; 0 means none' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand cleanup" -l retry-timeout -d 'Time for which a request that fails for a passing reason is repeated' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand cleanup" -s o -l output -d 'Format of the result' -r -f -a "table\t'Tables for people, as wide as the terminal'
wide\t'Tables with every VM and every milestone'
json\t'Everything, for programs'
yaml\t'Everything, for programs'
csv\t'One line per VM and phase, for spreadsheets'
markdown\t'A summary to paste into an issue or a page'
junit\t'One test case per VM and phase, for CI'
openmetrics\t'Statistics for Prometheus, as `OpenMetrics` text'
benchmark\t'The result document of the proposed `KubeVirt` benchmark specification'
name\t'One name per VM'
html\t'One offline page with charts, for people'"
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand cleanup" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand cleanup" -l log-file -d 'Append logs to this file' -r -F
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand cleanup" -l log-level -d 'Log level: error, warn, info, debug or trace' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand cleanup" -l config -d 'File with defaults for flags; default is bootstorm/config.yaml in the folder for configuration' -r -F
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand cleanup" -s y -l yes -d 'Do not ask'
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand cleanup" -l keep-record -d 'Keep the run\'s record, so that report still works'
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand cleanup" -l leave-adopted -d 'Forget adopted VMs and leave them as they are, stopped or not; what they were is lost then'
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand cleanup" -l insecure-skip-tls-verify -d 'Do not check the certificate of the API server; insecure'
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand cleanup" -l no-headers -d 'Leave out the headers of tables'
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand cleanup" -s q -l quiet -d 'Say nothing but the result'
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand cleanup" -s v -l verbose -d 'Log more to stderr (can be repeated)'
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand cleanup" -l show-config -d 'Show the value of every flag and where it comes from, and do nothing'
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand cleanup" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand dashboard" -l days -d 'How many days back to look' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand dashboard" -l base-dir -d 'Folder with saved results' -r -F
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand dashboard" -l cluster-info -d 'YAML file with facts about the cluster below `cluster:`, to be shown' -r -F
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand dashboard" -l manual-results -d 'YAML file with a list of results below `results:`, to be shown' -r -F
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand dashboard" -l output-html -d 'Page to be written; - is standard output' -r -F
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand dashboard" -l kubeconfig -d 'Kubeconfig file to use' -r -F
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand dashboard" -l context -d 'Context of the kubeconfig to use' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand dashboard" -l cluster -d 'Cluster of the kubeconfig to use' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand dashboard" -l user -d 'User of the kubeconfig to use' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand dashboard" -s n -l namespace -d 'Namespace in which the run\'s record lives; default is the context\'s' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand dashboard" -s s -l server -d 'Address of the API server' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand dashboard" -l certificate-authority -d 'File with the certificate authority of the API server' -r -F
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand dashboard" -l tls-server-name -d 'Name that the certificate of the API server must carry' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand dashboard" -l as -d 'User to impersonate' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand dashboard" -l as-group -d 'Group to impersonate (can be repeated)' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand dashboard" -l request-timeout -d 'Time limit for a single request, for example 30s; 0 means none' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand dashboard" -l retry-timeout -d 'Time for which a request that fails for a passing reason is repeated' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand dashboard" -s o -l output -d 'Format of the result' -r -f -a "table\t'Tables for people, as wide as the terminal'
wide\t'Tables with every VM and every milestone'
json\t'Everything, for programs'
yaml\t'Everything, for programs'
csv\t'One line per VM and phase, for spreadsheets'
markdown\t'A summary to paste into an issue or a page'
junit\t'One test case per VM and phase, for CI'
openmetrics\t'Statistics for Prometheus, as `OpenMetrics` text'
benchmark\t'The result document of the proposed `KubeVirt` benchmark specification'
name\t'One name per VM'
html\t'One offline page with charts, for people'"
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand dashboard" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand dashboard" -l log-file -d 'Append logs to this file' -r -F
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand dashboard" -l log-level -d 'Log level: error, warn, info, debug or trace' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand dashboard" -l config -d 'File with defaults for flags; default is bootstorm/config.yaml in the folder for configuration' -r -F
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand dashboard" -l insecure-skip-tls-verify -d 'Do not check the certificate of the API server; insecure'
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand dashboard" -l no-headers -d 'Leave out the headers of tables'
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand dashboard" -s q -l quiet -d 'Say nothing but the result'
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand dashboard" -s v -l verbose -d 'Log more to stderr (can be repeated)'
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand dashboard" -l show-config -d 'Show the value of every flag and where it comes from, and do nothing'
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand dashboard" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand sandbox" -l nodes -d 'Nodes of the simulated cluster; default is the profile\'s' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand sandbox" -l profile -d 'Timing profile: a name or a YAML file' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand sandbox" -l seed -d 'Seed of everything random' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand sandbox" -l speed -d 'Divide every simulated duration by this' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand sandbox" -l truth -d 'Write every state change and the instant it became visible to this file' -r -F
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand sandbox" -l faults -d 'Let go wrong what this YAML or JSON file says' -r -F
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand sandbox" -l port -d 'Port to listen on; 0 takes a free one' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand sandbox" -l auth -d 'How clients get the token: from the kubeconfig, or from an exec plugin in it' -r -f -a "token\t'It stands in the kubeconfig'
exec\t'An exec plugin in the kubeconfig reads it from a file, which follows the token'"
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand sandbox" -l kubeconfig -d 'Kubeconfig file to use' -r -F
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand sandbox" -l context -d 'Context of the kubeconfig to use' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand sandbox" -l cluster -d 'Cluster of the kubeconfig to use' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand sandbox" -l user -d 'User of the kubeconfig to use' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand sandbox" -s n -l namespace -d 'Namespace in which the run\'s record lives; default is the context\'s' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand sandbox" -s s -l server -d 'Address of the API server' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand sandbox" -l certificate-authority -d 'File with the certificate authority of the API server' -r -F
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand sandbox" -l tls-server-name -d 'Name that the certificate of the API server must carry' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand sandbox" -l as -d 'User to impersonate' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand sandbox" -l as-group -d 'Group to impersonate (can be repeated)' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand sandbox" -l request-timeout -d 'Time limit for a single request, for example 30s; 0 means none' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand sandbox" -l retry-timeout -d 'Time for which a request that fails for a passing reason is repeated' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand sandbox" -s o -l output -d 'Format of the result' -r -f -a "table\t'Tables for people, as wide as the terminal'
wide\t'Tables with every VM and every milestone'
json\t'Everything, for programs'
yaml\t'Everything, for programs'
csv\t'One line per VM and phase, for spreadsheets'
markdown\t'A summary to paste into an issue or a page'
junit\t'One test case per VM and phase, for CI'
openmetrics\t'Statistics for Prometheus, as `OpenMetrics` text'
benchmark\t'The result document of the proposed `KubeVirt` benchmark specification'
name\t'One name per VM'
html\t'One offline page with charts, for people'"
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand sandbox" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand sandbox" -l log-file -d 'Append logs to this file' -r -F
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand sandbox" -l log-level -d 'Log level: error, warn, info, debug or trace' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand sandbox" -l config -d 'File with defaults for flags; default is bootstorm/config.yaml in the folder for configuration' -r -F
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand sandbox" -l insecure-skip-tls-verify -d 'Do not check the certificate of the API server; insecure'
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand sandbox" -l no-headers -d 'Leave out the headers of tables'
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand sandbox" -s q -l quiet -d 'Say nothing but the result'
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand sandbox" -s v -l verbose -d 'Log more to stderr (can be repeated)'
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand sandbox" -l show-config -d 'Show the value of every flag and where it comes from, and do nothing'
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand sandbox" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand completion" -l kubeconfig -d 'Kubeconfig file to use' -r -F
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand completion" -l context -d 'Context of the kubeconfig to use' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand completion" -l cluster -d 'Cluster of the kubeconfig to use' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand completion" -l user -d 'User of the kubeconfig to use' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand completion" -s n -l namespace -d 'Namespace in which the run\'s record lives; default is the context\'s' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand completion" -s s -l server -d 'Address of the API server' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand completion" -l certificate-authority -d 'File with the certificate authority of the API server' -r -F
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand completion" -l tls-server-name -d 'Name that the certificate of the API server must carry' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand completion" -l as -d 'User to impersonate' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand completion" -l as-group -d 'Group to impersonate (can be repeated)' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand completion" -l request-timeout -d 'Time limit for a single request, for example 30s; 0 means none' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand completion" -l retry-timeout -d 'Time for which a request that fails for a passing reason is repeated' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand completion" -s o -l output -d 'Format of the result' -r -f -a "table\t'Tables for people, as wide as the terminal'
wide\t'Tables with every VM and every milestone'
json\t'Everything, for programs'
yaml\t'Everything, for programs'
csv\t'One line per VM and phase, for spreadsheets'
markdown\t'A summary to paste into an issue or a page'
junit\t'One test case per VM and phase, for CI'
openmetrics\t'Statistics for Prometheus, as `OpenMetrics` text'
benchmark\t'The result document of the proposed `KubeVirt` benchmark specification'
name\t'One name per VM'
html\t'One offline page with charts, for people'"
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand completion" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand completion" -l log-file -d 'Append logs to this file' -r -F
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand completion" -l log-level -d 'Log level: error, warn, info, debug or trace' -r
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand completion" -l config -d 'File with defaults for flags; default is bootstorm/config.yaml in the folder for configuration' -r -F
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand completion" -l install -d 'Write the script for kubectl beside the plugin on the PATH'
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand completion" -l insecure-skip-tls-verify -d 'Do not check the certificate of the API server; insecure'
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand completion" -l no-headers -d 'Leave out the headers of tables'
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand completion" -s q -l quiet -d 'Say nothing but the result'
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand completion" -s v -l verbose -d 'Log more to stderr (can be repeated)'
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand completion" -l show-config -d 'Show the value of every flag and where it comes from, and do nothing'
complete -c kubectl-bootstorm -n "__fish_kubectl_bootstorm_using_subcommand completion" -s h -l help -d 'Print help (see more with \'--help\')'
