<?php
use PHPDaemon\Clients\Asterisk\Pool;
use PHPDaemon\Core\AppInstance;
use PHPDaemon\Core\Daemon;
use PHPDaemon\Core\Timer;

class Wallboard extends AppInstance
{
    public $url;
    public $pool;

    // begin on_ready
    public function onReady()
    {
        $this->pool = Pool::getInstance();
        $this->connect();
    }

    public function connect()
    {
        $this->pool->getConnection(
            $this->url,
            [$this, 'onConnection']
        );
    }
    // end on_ready

    // begin on_login
    public function onConnection($conn)
    {
        if (!$conn->connected) {
            Daemon::log('no connection');
            return;
        }
        $conn->bind(
            'event_hangup',
            [$this, 'onHangup']
        );
        $conn->bind(
            'disconnect',
            [$this, 'onDisconnect']
        );
        $conn->coreShowChannels(
            [$this, 'onChannels']
        );
        $conn->action(
            'QueueStatus',
            [$this, 'onQueues'],
            ['Queue' => 'helpline'],
            ['event' => 'queuestatuscomplete']
        );
    }
    // end on_login

    // begin on_channels
    public function onChannels($conn, $packets)
    {
        $channels = array_slice($packets, 1, -1);
        Daemon::log(count($channels) . ' channels');
        $conn->originate([
            'Channel' => 'Local/102@office',
            'Context' => 'office',
            'Exten' => '101',
            'Priority' => 1,
            'Variable' => 'BOARD=yes',
        ], [$this, 'onAccepted']);
    }

    public function onAccepted($conn, $packet)
    {
        Daemon::log($packet['message']);
    }
    // end on_channels

    // begin on_queues
    public function onQueues($conn, $packets)
    {
        foreach ($packets as $packet) {
            if (isset($packet['event'])
              && $packet['event'] == 'queueparams') {
                Daemon::log($packet['queue'] . ': '
                    . $packet['calls'] . ' calls');
            }
        }
    }
    // end on_queues

    // begin on_hangup
    public function onHangup($conn, $event)
    {
        Daemon::log($event['channel'] . ': '
            . $event['cause-txt']);
    }
    // end on_hangup

    // begin on_disconnect
    public function onDisconnect($conn)
    {
        Daemon::log('gone, trying again');
        Timer::add(function ($timer) {
            $this->connect();
            $timer->finish();
        }, 2e6);
    }
    // end on_disconnect
}
