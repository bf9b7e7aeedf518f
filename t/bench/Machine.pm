package Machine;

# The machine that measures: which CPUs it has for whom, and what a reader must know of it.

use strict;
use warnings;

use Exporter 'import';
use POSIX qw(strftime uname);

our @EXPORT = qw($LoadCpus $ProxyCpu description load_average);

our ($ProxyCpu, $LoadCpus) = cpus();

# The first CPU that this process may use, and the others; the same where there is one.
sub cpus {
    my ($list) = `taskset -cp $$` =~ /: (\S+)$/ or die "taskset does not work\n";
    my @cpus = map { /(\d+)-(\d+)/ ? $1 .. $2 : $_ } split /,/, $list;
    my $first = shift @cpus;
    return ($first, join(',', @cpus) || $first);
}

# Lines of it, for those who were not there.
sub description {
    my $nginx = shift;
    my $info = content('/proc/cpuinfo');
    my ($model) = $info =~ /^(?:model name|Model|CPU part)\s*:\s*(.+)$/m;
    my ($flags) = $info =~ /^(?:flags|Features)\s*:\s*(.+)$/m;
    my $cores = () = $info =~ /^processor\s*:/mg;
    my @known = grep { " $flags " =~ / $_ / } qw(sha_ni avx2 avx512f vaes sha2);
    my ($version) = `$nginx -v 2>&1` =~ /version: (\S+)/ or die "$nginx does not run\n";
    my ($system, undef, $release, undef, $architecture) = uname();
    return (
        sprintf('%s, %d cores%s; of its flags: %s', $model // $architecture, $cores,
            $flags =~ /\bhypervisor\b/ ? ' of a virtual machine' : '', join(', ', @known) || 'none that matters'),
        "$system $release, $architecture",
        "$version; the module was built " . ($ENV{MODULE_BUILD} // 'by hand'),
        "a worker of plain nginx and one with s3_resign on CPU $ProxyCpu, clients and origin on CPU $LoadCpus",
        'begun at ' . strftime('%Y-%m-%d %H:%M UTC', gmtime) . ', load average ' . load_average(),
    );
}

sub load_average { return join ' ', (split ' ', content('/proc/loadavg'))[0 .. 2] }

sub content {
    my $path = shift;
    open my $in, '<', $path or return '';
    local $/;
    return <$in>;
}

1;
