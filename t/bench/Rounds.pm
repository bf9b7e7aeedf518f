package Rounds;

# Rounds of measurements: every contender in turn, in many short slices. In every
# other round the order is the opposite one, so that a drift of the machine favours
# none. Both nginx run throughout ten rounds and are then started anew: where memory
# comes to lie is worth up to 0.3 us a request.
#
# A contender is { name, nginx (plain or resign), file (of requests), connections,
# idle (more connections, 0), status (200), served (whether the origin has a part in
# it, 1) }.

use strict;
use warnings;

use Exporter 'import';
use FindBin;
use POSIX qw(ceil);

use Figures;
use Machine;
use Proxies;

our @EXPORT = qw(build_load half_load in_turn);

my $Sha256 = $ENV{SHA256} // 'target/release/examples/sha256';
my $BLOCK = 10;

sub build_load {
    system(qw(cc -O2 -o), "$Dir/load", map {"$FindBin::Bin/$_.c"} qw(load peers)) == 0 or die "cc failed\n";
}

# For each contender its slices, of one round after the other. Options: rounds,
# seconds (of a slice), rate (requests/s; else as many as can be), hash (whether slices
# are to say what SHA-256 costs at that time).
sub in_turn {
    my ($contenders, %o) = @_;
    my @slices;
    for (my $left = $o{rounds}; $left > 0; $left -= $BLOCK) {
        start_nginx();
        my $hash = $o{hash} && hash_cost();
        write_file('plan', join '', map {
            join(' ', $Port{ $_->{nginx} }, join(',', @{ $Workers{ $_->{nginx} } }), $_->{connections}, $_->{idle} // 0,
                $_->{status} // 200, $o{rate} // 0, "$Dir/$_->{file}") . "\n"
        } @$contenders);
        my $rounds = $left < $BLOCK ? $left : $BLOCK;
        my $output = `taskset -c $LoadCpus '$Dir/load' '$Dir/plan' $OriginPort $rounds $o{seconds} 2>&1`;
        die "load: $output\n", map { tail("$_.log") } qw(plain resign) if $?;
        for (split /\n/, $output) {
            my ($number, $answered, $seconds, $cpu, $served, $memory, $p50, $p99) = /^SLICE (\d+) (.*)/
                ? ($1, split ' ', $2) : die "load: $_\n";
            my $contender = $contenders->[$number];
            my $expected = $contender->{served} // 1 ? $answered : 0;
            die "$contender->{name}: the origin had $served of $answered requests instead of $expected\n"
                if $served != $expected;
            push @{ $slices[$number] }, {
                rate => $answered / $seconds, cpu => $cpu / $answered * 1e6, idle => 1 - $cpu / $seconds,
                memory => $memory / 1024, p50 => $p50, p99 => $p99, hash => $hash,
            };
        }
    }
    return @slices;
}

# The same at half of what the slowest of the contenders did in some slices, which are
# long enough for some requests.
sub half_load {
    my ($contenders, $slices, %o) = @_;
    my ($rate) = map { $_ / 2 } sort { $a <=> $b } map { median(map { $_->{rate} } @$_) } @$slices;
    my $least = $rate > 2 ? 8 / $rate : 4;
    return in_turn($contenders, %o, rate => $rate, seconds => $o{seconds} > $least ? $o{seconds} : $least);
}

# Microseconds of CPU time for a MB, as if the hash were a worker.
sub hash_cost {
    my $mib = 256;
    my @before = times;
    system(qw(taskset -c), $ProxyCpu, $Sha256, $mib) == 0 or die "$Sha256 failed\n";
    my @after = times;
    return ($after[2] + $after[3] - $before[2] - $before[3]) / ($mib * 1.048576) * 1e6;
}

1;
